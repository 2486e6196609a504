# Every target sets up what it needs first: .venv, TorchSSL, data. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3

PROFILE ?= auto
LABELS ?= 40
SEEDS ?= 0
IMPLEMENTATIONS ?= own torchssl
ITERATIONS ?=
DATA_DIR ?=
RESULTS ?= results
DEVICE ?= auto
VARIANTS ?=

BIN := .venv/bin
STAMP := .venv/.installed
HARNESS := $(BIN)/python -m harness

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) torchssl  ## make .venv and get TorchSSL

compare: setup  ## train both and compare: LABELS="40 250 4000" [PROFILE SEEDS ITERATIONS IMPLEMENTATIONS DATA_DIR RESULTS]
	@$(HARNESS) compare --labels '$(LABELS)' --profile '$(PROFILE)' --seeds '$(SEEDS)' \
	    --implementations '$(IMPLEMENTATIONS)' --iterations '$(ITERATIONS)' \
	    --data-dir '$(DATA_DIR)' --results '$(RESULTS)'

table: $(STAMP)  ## write table and figure again from the runs: [PROFILE RESULTS]
	@$(HARNESS) table --profile '$(PROFILE)' --results '$(RESULTS)'

bench: setup  ## time both, block by block: [PROFILE DEVICE VARIANTS="fp32 fp32+compile" DATA_DIR RESULTS]
	@$(HARNESS) bench --profile '$(PROFILE)' --device '$(DEVICE)' --variants '$(VARIANTS)' \
	    --data-dir '$(DATA_DIR)' --results '$(RESULTS)'

test: setup check  ## check, then the test suite with coverage
	$(BIN)/python -m pytest --cov --cov-report=term --cov-fail-under=90

check: $(STAMP)  ## formatting, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:  ## remove .venv and caches; results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage*

# uv installs in a third of pip's time; where it cannot be had, pip does.
$(STAMP): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo 'error: PYTHON=$(PYTHON) is older than 3.11; name a newer one: make PYTHON=python3.12'; exit 2; }
	@echo 'Installing into .venv, once (some GB with torch) ...'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv \
	    && $(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.lock \
	    || $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@touch $@

# The comparison goes on without TorchSSL, and says so; so this never fails.
torchssl:
	@test -n "$$TORCHSSL_DIR" -o -f third_party/torchssl/fixmatch.py || \
	    GIT_TERMINAL_PROMPT=0 git submodule update --init third_party/torchssl || \
	    echo 'TorchSSL could not be had; going on without it.'

.PHONY: help setup compare table bench test check clean torchssl
