"""A stand-in for the Hugging Face Hub: a server on this machine that speaks its HTTP protocol, for tests and nothing else.

It keeps repositories in memory. Left out, among much else: Xet (clients need HF_HUB_DISABLE_XET=1), pull requests, .gitignore, quotas,
malware scans, running Spaces, and the dataset viewer, which answers as it does for a dataset that it has not converted yet.
"""

from tests.hub_stand_in.stand_in import HubStandIn

__all__ = ["HubStandIn"]
