"""The Space's app: all of it is in the package, whose folder stands beside this file."""

from hf_ctxscale.app.launch import run_space

run_space()
