# make demo | test | test-fast | lint | bench | real | real-maps | real-aerial | real-clouds | real-sisr | docs | clean: everything a new checkout needs installs itself.
SHELL := /bin/bash
# The first interpreter that runs and is of a supported version (a shim on the PATH may do neither).
PYTHON ?= $(shell for p in python3.12 python3.13 python3.11 python3; do $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2
# What the linters look at: the code git tracks; in a copy without git, all but what pyproject.toml excludes.
SOURCES := { git ls-files -z '*.py' '*.ipynb' 2>/dev/null | grep -z . || printf '.\0'; }

.DEFAULT_GOAL := help
.PHONY: help install demo real real-maps real-aerial real-clouds real-sisr test test-fast lint bench schemas docs clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.txt requirements-dev.txt $(wildcard requirements/*.txt)
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found; name one: make PYTHON=/path/to/python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

install: $(STAMP) ## Make .venv with everything for tests and demo

demo: $(STAMP) ## The main job on a generated archive, in runs/demo: steps 20-50, training, evaluation, notebook
	$(BIN)/python examples/demo.py

real: $(STAMP) ## The main job on real Sentinel-2 products, in runs/real: make real DATA=FOLDER [RESOLUTION=10] [TILESIZE=256]
	@test -n "$(DATA)" || { echo "make real DATA=FOLDER [RESOLUTION=10] [TILESIZE=256]"; exit 2; }
	$(BIN)/python examples/real.py --data "$(DATA)" --resolution $(or $(RESOLUTION),10) --tilesize $(or $(TILESIZE),256) $(REAL_OPTIONS)

real-maps: $(STAMP) ## Maps to photos on real pictures, in runs/real-maps: make real-maps DATA=FOLDER
	@test -n "$(DATA)" || { echo "make real-maps DATA=FOLDER"; exit 2; }
	$(BIN)/python examples/pictures.py maps --data "$(DATA)" $(REAL_OPTIONS)

real-aerial: $(STAMP) ## Masks to photos on real GeoTIFFs, in runs/real-aerial: make real-aerial DATA=FOLDER
	@test -n "$(DATA)" || { echo "make real-aerial DATA=FOLDER"; exit 2; }
	$(BIN)/python examples/pictures.py aerial --data "$(DATA)" $(REAL_OPTIONS)

real-clouds: $(STAMP) ## Clouds away on real and generated images, in runs/real-clouds: make real-clouds DATA=FOLDER
	@test -n "$(DATA)" || { echo "make real-clouds DATA=FOLDER"; exit 2; }
	$(BIN)/python examples/clouds.py --data "$(DATA)" $(REAL_OPTIONS)

real-sisr: $(STAMP) ## Super-resolution across sensors with a registration, in runs/real-sisr: make real-sisr DATA=FOLDER
	@test -n "$(DATA)" || { echo "make real-sisr DATA=FOLDER"; exit 2; }
	$(BIN)/python examples/sisr.py --data "$(DATA)" $(REAL_OPTIONS)

test: lint ## Lint, types and every test, the executed notebook included
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -q

test-fast: $(STAMP) ## The tests that are not marked slow: what to run between two edits
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -q -m "not slow"

lint: $(STAMP) ## ruff (lint and format) and mypy
	@$(SOURCES) | xargs -0 $(BIN)/ruff check --force-exclude
	@$(SOURCES) | xargs -0 $(BIN)/ruff format --check --force-exclude
	$(BIN)/mypy

bench: $(STAMP) ## Ratios against the naive way, both sides in one run
	$(BIN)/python -m benchmarks

schemas: $(STAMP) ## Write schemas/*.json anew
	$(BIN)/python -m sensor2sensor schemas

docs: $(STAMP) ## docs/ as a site, in site/
	$(BIN)/python -m pip install --quiet --requirement requirements/docs.txt
	$(BIN)/mkdocs build --strict

clean: ## Remove caches and runs/, all that demo and real made (not .venv)
	rm -rf runs site build *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
