# Every target sets up what it needs first: .venv, TorchSSL, data. `make help` lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3

PROFILE ?= auto
LABELS ?= 40
SEEDS ?= 0
# With labelled_only too: do the unlabelled data help?
IMPLEMENTATIONS ?= own torchssl
ALGORITHMS ?= fixmatch
ALGORITHM ?= fixmatch
ITERATIONS ?=
DATA_DIR ?=
RESULTS ?= results
# What the repository keeps as evidence.
PUBLISHED ?= results/published
REFERENCE ?=
JOBS ?= 1
RETRIES ?= 2
PATIENCE ?= 1800
PRECISION ?=
# 1: torch.compile ours.
COMPILE ?=
PORT ?= 6006
EXECUTOR ?= local
SLURM_CONFIG ?= configs/slurm.yaml

# Libraries compiled once, not at each start: without this torch alone takes ten seconds to load.
unexport PYTHONDONTWRITEBYTECODE

BASE ?=
ACCEPT ?=
FORMAT ?= terminal
# A variable's value where the user gave one, else the second argument: not the default above.
named = $(if $(filter file,$(origin $(1))),$(2),$($(1)))
DEVICE ?= auto
VARIANTS ?=
PARTS ?=
STUDY ?=
SPEC ?=
# Not from the environment, where some shells keep the host's name in it.
NAME :=
# Not make's own, the assembler.
AS :=

BIN := .venv/bin
STAMP := .venv/.installed
HARNESS := $(BIN)/python -m harness

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) torchssl  ## make .venv and get TorchSSL

compare: setup  ## train both and compare: LABELS="40 250 4000" [PROFILE SEEDS ITERATIONS IMPLEMENTATIONS ALGORITHMS DATA_DIR RESULTS JOBS RETRIES PATIENCE REFERENCE PRECISION COMPILE EXECUTOR SLURM_CONFIG]
	@$(HARNESS) compare --labels '$(LABELS)' --profile '$(PROFILE)' --seeds '$(SEEDS)' \
	    --implementations '$(IMPLEMENTATIONS)' --algorithms '$(ALGORITHMS)' \
	    --iterations '$(ITERATIONS)' \
	    --data-dir '$(DATA_DIR)' --results '$(RESULTS)' \
	    --jobs '$(JOBS)' --retries '$(RETRIES)' --patience '$(PATIENCE)' \
	    --reference '$(REFERENCE)' --executor '$(EXECUTOR)' --slurm-config '$(SLURM_CONFIG)' \
	    --precision '$(PRECISION)' $(if $(filter-out 0,$(COMPILE)),--compile)

table: $(STAMP)  ## write table and figure again from the runs: [PROFILE RESULTS]
	@$(HARNESS) table --profile '$(PROFILE)' --results '$(RESULTS)'

parity: setup  ## prove that both are comparable, rung by rung, on the CPU: [PROFILE ALGORITHM=mixmatch DEVICE=cpu DATA_DIR RESULTS]
	@$(HARNESS) parity --profile '$(PROFILE)' --data-dir '$(DATA_DIR)' --results '$(RESULTS)' \
	    --algorithm '$(ALGORITHM)' --device '$(call named,DEVICE,cpu)'

report: $(STAMP)  ## write report.html again, and all else that the runs give: [PROFILE RESULTS]
	@$(HARNESS) report --profile '$(PROFILE)' --results '$(RESULTS)'

verify: $(STAMP)  ## are all outputs what runs/ give, to the byte: [PROFILE, or STUDY=name; RESULTS]
	@$(HARNESS) verify --profile '$(call named,PROFILE,quick)' --results '$(call named,RESULTS,$(PUBLISHED))' \
	    --study '$(STUDY)'

diff: $(STAMP)  ## accuracies against BASE=<revision or file>: [ACCEPT="reason" FORMAT PROFILE RESULTS]
	@$(HARNESS) diff --base '$(BASE)' --profile '$(call named,PROFILE,quick)' \
	    --results '$(call named,RESULTS,$(PUBLISHED))' \
	    --accept "$$ACCEPT" --format '$(FORMAT)'

publish: $(STAMP)  ## what was measured here becomes the evidence: REASON="..." [PROFILE STUDY RESULTS]
	@$(HARNESS) publish --reason "$$REASON" --profile '$(PROFILE)' --results '$(RESULTS)' \
	    --published '$(PUBLISHED)' --study '$(STUDY)'

accuracy-check: setup  ## as CI: verify, diff, and anew what is not of the published source: [BASE PROFILE=quick LABELS SEEDS RESULTS]
	@$(HARNESS) accuracy-check --base '$(or $(BASE),HEAD)' --profile '$(call named,PROFILE,quick)' \
	    --labels '$(call named,LABELS)' --seeds '$(call named,SEEDS)' --iterations '$(ITERATIONS)' \
	    --data-dir '$(DATA_DIR)' --results '$(call named,RESULTS,$(PUBLISHED))'

status: $(STAMP)  ## how each run stands, while it runs or later: [PROFILE, or STUDY=name; RESULTS]
	@$(HARNESS) status --profile '$(PROFILE)' --results '$(RESULTS)' --study '$(STUDY)'

tensorboard: $(STAMP)  ## both implementations' curves in TensorBoard: [PROFILE RESULTS PORT]
	@$(HARNESS) tensorboard --profile '$(PROFILE)' --results '$(RESULTS)' --port '$(PORT)'

bench: setup  ## time them, block by block: [PROFILE DEVICE VARIANTS="fp32 fp32+compile" DATA_DIR RESULTS IMPLEMENTATIONS ALGORITHM=mixmatch]
	@$(HARNESS) bench --profile '$(PROFILE)' --device '$(DEVICE)' --variants '$(VARIANTS)' \
	    --data-dir '$(DATA_DIR)' --results '$(RESULTS)' --implementations '$(IMPLEMENTATIONS)' \
	    --algorithm '$(ALGORITHM)'

try: setup  ## your implementation for a moment, and what its file lacks: SPEC=compare.yaml [LABELS=40 DATA_DIR]
	@$(HARNESS) try --spec '$(SPEC)' --labels '$(LABELS)' --data-dir '$(DATA_DIR)'

import: $(STAMP)  ## a finished log of others beside the runs, unproven: LOG= FORMAT= AS=name LABELS= [SEED=0 TITLE PROFILE RESULTS DATA_DIR]
	@$(HARNESS) import --log '$(LOG)' --format '$(call named,FORMAT)' --as '$(AS)' \
	    --labels '$(call named,LABELS)' --seed '$(or $(SEED),0)' --title '$(TITLE)' \
	    --profile '$(PROFILE)' --results '$(RESULTS)' --data-dir '$(DATA_DIR)'

new-spec: $(STAMP)  ## write a file that describes an implementation, to begin with: [SPEC=compare.yaml]
	@$(HARNESS) new-spec --spec '$(or $(SPEC),compare.yaml)'

gpu-check: setup  ## the first minutes on a GPU, and a page of what they showed: [PROFILE PARTS VARIANTS DATA_DIR RESULTS]
	@$(HARNESS) gpu-check --profile '$(PROFILE)' --parts '$(PARTS)' --variants '$(VARIANTS)' \
	    --data-dir '$(DATA_DIR)' --results '$(RESULTS)'

study: $(STAMP)  ## one recipe of ours varied, or claims weighed: NAME=<study>, none lists them [LABELS SEEDS ITERATIONS JOBS DATA_DIR RESULTS REFERENCE]
	@$(HARNESS) study --name '$(NAME)' --labels '$(call named,LABELS)' \
	    --seeds '$(call named,SEEDS)' --iterations '$(ITERATIONS)' --data-dir '$(DATA_DIR)' \
	    --results '$(RESULTS)' --jobs '$(JOBS)' --retries '$(RETRIES)' --patience '$(PATIENCE)' \
	    --reference '$(REFERENCE)'

# Not reordered: that would begin the files with the fewest tests last, which are the slow ones.
test: setup check  ## check, then the test suite with coverage
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder \
	    --cov --cov-report=term --cov-fail-under=90

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

.PHONY: import try new-spec publish help setup compare status tensorboard table parity report bench gpu-check verify diff accuracy-check study test check clean torchssl
