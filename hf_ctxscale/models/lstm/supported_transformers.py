"""Refuses a transformers release older than what these model files are written for; imported before anything of transformers that it may lack."""

import transformers

MIN_TRANSFORMERS = "5.17"


def _release(version: str) -> tuple[int, int]:
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


if _release(transformers.__version__) < _release(MIN_TRANSFORMERS):
    raise ImportError(
        f"transformers {transformers.__version__} is installed, but the ctxscale LSTM needs {MIN_TRANSFORMERS} or newer; "
        f'run: pip install --upgrade "transformers>={MIN_TRANSFORMERS}".'
    )
