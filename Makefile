# make demo | test | lint | bench | real | clean: everything a new checkout needs installs itself.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.12 || command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help install demo real test lint bench schemas clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): requirements.txt requirements-base.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 12); sys.exit(0 if ok else "Python 3.11 or 3.12 is needed, this is " + sys.version.split()[0] + "; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --requirement requirements-dev.txt
	@touch $@

install: $(STAMP) ## Make .venv with everything for tests and demo

demo: $(STAMP) ## The main job on a generated archive: steps 20-50, training, evaluation, notebook
	$(BIN)/python examples/demo.py

real: $(STAMP) ## The main job on real Sentinel-2 products: make real DATA=FOLDER [RESOLUTION=10] [TILESIZE=256]
	@test -n "$(DATA)" || { echo "make real DATA=FOLDER [RESOLUTION=10] [TILESIZE=256]"; exit 2; }
	$(BIN)/python examples/real.py --data "$(DATA)" --resolution $(or $(RESOLUTION),10) --tilesize $(or $(TILESIZE),256) $(REAL_OPTIONS)

test: lint ## Lint, types and every test, the executed notebook included
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -q

lint: $(STAMP) ## ruff (lint and format) and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP) ## Ratios against the naive way, both sides in one run
	$(BIN)/python -m benchmarks

schemas: $(STAMP) ## Write schemas/*.json anew
	$(BIN)/python -m sensor2sensor schemas

clean: ## Remove caches and what demo and real made (not .venv)
	rm -rf demo real .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +
