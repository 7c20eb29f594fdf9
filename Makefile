# All set-up happens here: a fresh machine needs make and Python 3.11 or newer, nothing else.
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo test check bench package docs format clean

help:  ## Say what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: .venv/installed  ## Train on a real table, predict, and leave a report to open
	@rm -rf demo
	$(BIN)/trainwell demo --folder demo
	$(BIN)/trainwell fit demo/breast_cancer.csv --target diagnosis --time-limit 30s --out demo/run
	$(BIN)/trainwell predict demo/run demo/new_patients.csv -o demo/predictions.csv --keep patient
	@printf '\nOpen these:\n  demo/run/report.html    every step and what it found\n  demo/predictions.csv    one row for each new patient\n'

test: .venv/installed-test  ## Run every test, on two cores
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile

check: .venv/installed-test  ## Format, lint, types, import contracts, doctests, README commands
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest src tests/test_setup.py

bench: .venv/installed-bench  ## Measure speed beside other libraries, growth, and scores on the benchmark tables
	$(BIN)/python -m benchmarks

docs: .venv/installed-docs  ## Build the documentation into site/, and run every block of code in it
	$(BIN)/mkdocs build --quiet
	$(BIN)/python -m pytest -m documentation tests/documentation

package: .venv/installed-test  ## Build the wheel, install it in an empty environment and use it there
	$(BIN)/python -m benchmarks.package

format: .venv/installed-test  ## Format the code and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## Remove the environment, the caches and what the demo made
	rm -rf .venv demo build dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps are older than pyproject.toml when the dependencies may have changed; then they are installed again.
.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/installed-test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch .venv/installed $@

.venv/installed-bench: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@touch .venv/installed .venv/installed-test $@

.venv/installed-docs: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,docs,serve,mlflow,tensorboard,export]'
	@touch .venv/installed .venv/installed-test $@
