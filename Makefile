# Targets create the virtual environment when it is missing or out of date, then do the work.
#
#   make                     the paper's study: every table and figure; the official files are downloaded
#   make paper MIRROR=DIR    the same, with the input files of a folder
#   make test | lint | benchmark | setup

PYTHON ?= python3
CORES ?= $(shell nproc)
MIRROR ?=

BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)

.PHONY: paper setup test lint benchmark

paper: setup
	$(SNAKEMAKE) $(if $(MIRROR),--config mirror=$(MIRROR))

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
