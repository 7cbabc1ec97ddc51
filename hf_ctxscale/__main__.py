"""`python -m hf_ctxscale`: the command line, as `accelerate launch -m hf_ctxscale` starts it."""

from hf_ctxscale.cli import main

if __name__ == "__main__":
    main()
