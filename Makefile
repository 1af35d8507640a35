# Works with Python 3.11, make and a C compiler alone: each target makes the environment it needs first.
#
#   make demo    a corpus from real input, published, explained and trained on (at most 6 minutes after installing)
#   make test    everything that CI checks
#   make quick   the tests without engines and without slow ones
#   make wheel   a wheel in dist/, for machines without a C compiler
#
# An environment of your own: make test VENV=/path/to/venv

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
RESOLVED := pyproject.toml constraints.txt $(wildcard crawlers/native/* pipelines/stages/*/native/*)
# Tests wait for servers and processes a third of the time, so three of them keep two cores busy.
WORKERS ?= 3

export PIP_NO_INPUT := 1
# setuptools calls two tables of pyproject.toml experimental, four times.
export PYTHONWARNINGS := ignore:`[tool.

.DEFAULT_GOAL := help
.PHONY: help demo test quick lint types format docs bench wheel clean

help:
	@sed -n 's/^#   //p' Makefile
	@echo "make lint | types | format | docs | bench | clean"

# One stamp for each set of extras, made again when what resolves changes.
$(VENV)/pip.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: $(PYTHON) is older than Python 3.11" >&2; \
	       echo "hint: make PYTHON=/path/to/python3.11 …" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade pip
	@touch $@

$(VENV)/demo.stamp: $(VENV)/pip.stamp $(RESOLVED)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable '.[nlp,train]'
	@touch $@

$(VENV)/test.stamp: $(VENV)/pip.stamp $(RESOLVED)
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable '.[all,test]'
	@touch $@ $(VENV)/demo.stamp

demo: $(VENV)/demo.stamp
	@$(BIN)/python recipes/demo.py

test: lint types $(VENV)/test.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow"

quick: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow and not engine"

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/test.stamp
	$(BIN)/python -m mypy

format: $(VENV)/test.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/test.stamp
	$(BIN)/python docs/generate.py
	$(BIN)/python docs/shown.py

bench: $(VENV)/test.stamp
	@set -e; for script in benchmarks/*.py; do echo "$$script"; $(BIN)/python $$script; done

# One wheel serves every Python from 3.11 on of its platform: the C reader uses the limited API alone.
wheel: $(VENV)/pip.stamp
	$(PIP) wheel --quiet --no-deps --wheel-dir dist .
	@ls dist/*.whl

# Takes away what the targets made, the demo's corpus too; the environment stays (rm -r .venv).
clean:
	rm -rf build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis demo
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
