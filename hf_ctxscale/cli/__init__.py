"""The command line: one file per command, heavy imports inside the command."""

from hf_ctxscale.cli.main import main

__all__ = ["main"]
