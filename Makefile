# setup, demo, test, quality, style: what a newcomer, a contributor and CI call.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/demo

.PHONY: help setup demo smoke test transformers-tests browser-tests extension-test quality style benchmark interval-coverage fit-coverage learning-rates clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

setup: $(VENV)/.ready  ## a virtual environment with pinned versions

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12 setup"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[train,app,dev]"
	@touch $@

demo: setup  ## both charts from real text, about 24 minutes on 2 cores; OUT=folder to put them elsewhere
	$(BIN)/hf-ctxscale run configs/demo.yaml --out $(OUT)

smoke: setup  ## the same stages in a minute, too small to show anything
	$(BIN)/hf-ctxscale run configs/smoke.yaml --out out/smoke

test: setup  ## the tests, one file after another on each core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

transformers-tests: setup  ## transformers' own tests of a model, downloaded for the installed version, on the LSTM
	$(BIN)/python tests/models/run_transformers_tests.py

extension-test: setup  ## installs this checkout as an extension of the hf CLI, in a fresh environment without extras, and runs it
	$(BIN)/python tests/cli/run_extension_test.py

browser-tests: setup  ## the Space in a real headless Chromium: every tab and control, phone width, dark mode, accessibility
	$(BIN)/python -m pytest -m browser tests/app

quality: setup  ## lint, format, types, direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

style: setup  ## mend what can be mended by itself
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmark: setup  ## the LSTM against bare kernels, training, scoring and fits against bare loops, and the times of intervals, reports and the Space
	$(BIN)/python benchmarks/lstm_speed.py
	$(BIN)/python benchmarks/training_overhead.py
	$(BIN)/python benchmarks/scoring_speed.py
	$(BIN)/python benchmarks/interval_speed.py
	$(BIN)/python benchmarks/fit_speed.py
	$(BIN)/python benchmarks/report_speed.py
	$(BIN)/python benchmarks/space_speed.py

interval-coverage: setup  ## how often intervals cover the truth, in simulation; writes docs/interval_coverage.md
	$(BIN)/python benchmarks/interval_coverage.py

fit-coverage: setup  ## how often fits, crossovers and claims hold the truth, in simulation; writes docs/fit_coverage.md
	$(BIN)/python benchmarks/fit_coverage.py

learning-rates: setup  ## the trials behind the demo's learning rates, about half an hour on 2 cores
	$(BIN)/hf-ctxscale sweep configs/demo_learning_rates.yaml --out out/demo_learning_rates
	$(BIN)/python benchmarks/learning_rates.py out/demo_learning_rates configs/demo_learning_rates.csv

clean:  ## removes the environment and every study under out/
	rm -rf $(VENV) out
