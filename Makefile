# Targets create the virtual environment when it is missing or out of date, then do the work.
#
#   make                     every table and figure of the paper, offline, on the published accuracies in the package
#   make official            the paper at full size, on official files, which are downloaded; also called make paper
#   make official MIRROR=DIR the same on the files of a folder
#   make check              compare results/paper with the committed results/reference, and print what moved
#   make docs              the documentation, into site/
#   make dist              wheel and source distribution, into dist/
#   make test | lint | benchmark | setup

PYTHON ?= python3
CORES ?= $(shell getconf _NPROCESSORS_ONLN)
MIRROR ?=

BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)

.PHONY: default official paper check reference setup test lint benchmark docs dist

default: setup
	$(SNAKEMAKE)

official: setup
	$(SNAKEMAKE) --configfile workflow/studies/official.yaml $(if $(MIRROR),--config mirror="$(MIRROR)")

paper: official

check: setup
	$(BIN)/python -m epsinas.study.reference results/paper results/reference

# The small tables, the ledger and the figures of the default study, to be committed, and the documents that show them.
reference: setup
	mkdir -p results/reference/tables figures/reference
	cp $(filter-out %.draws.csv,$(wildcard results/paper/tables/*.csv)) results/reference/tables/
	cp results/paper/ledger.csv results/paper/ledger-summary.csv results/paper/provenance.json results/reference/
	cp figures/paper/*.svg figures/reference/
	$(BIN)/python benchmarks/study.py results/paper > results/reference/costs.md
	$(BIN)/python docs/fill_tables.py

setup: .venv/complete

.venv/complete: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
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
	$(BIN)/python benchmarks/models.py
	$(BIN)/python benchmarks/metrics.py

docs: setup
	$(BIN)/mkdocs build --strict

# Twine has an environment of its own, since it and Snakemake disagree on versions.
dist: setup
	rm -rf dist
	$(BIN)/python -m hatchling build
	$(PYTHON) -m venv build/twine
	build/twine/bin/pip install --quiet twine
	build/twine/bin/twine check --strict dist/*
