# Targets create the virtual environment when it is missing or out of date, then do the work.
#
#   make                     every table and figure of the paper, offline, on the published accuracies in the package
#   make official            the paper at full size, on official files, which are downloaded; also called make paper
#   make official MIRROR=DIR the same on the files of a folder
#   make test | lint | benchmark | setup

PYTHON ?= python3
CORES ?= $(shell nproc)
MIRROR ?=

BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)

.PHONY: default official paper setup test lint benchmark

default: setup
	$(SNAKEMAKE)

official: setup
	$(SNAKEMAKE) --configfile workflow/studies/official.yaml $(if $(MIRROR),--config mirror="$(MIRROR)")

paper: official

setup: .venv/complete

.venv/complete: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --editable .
	touch $@

test: setup
	$(BIN)/python -m pytest --numprocesses=$(CORES)

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/snakemake --lint --configfile workflow/studies/smoke.yaml

benchmark: setup
	$(BIN)/python benchmarks/scoring.py
