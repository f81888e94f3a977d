# Two commands need nothing but Python 3.11+ and make: `make run` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# --no-compile: Python writes bytecode for what it really imports, which halves the files on disk
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile -c constraints.txt

.PHONY: run test check train bench bench-proxy clean help
help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Weighbridge needs Python 3.11 or newer. Name one: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) -e '.[dev]'
	@touch $@ $(VENV)/.run

run: $(VENV)/.run ## install the default package and serve on 127.0.0.1:8080
	@$(BIN)/weighbridge serve

test: $(VENV)/.dev ## run every test
	@$(BIN)/python -m pytest

check: $(VENV)/.dev ## lint, types, import rules, doctests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest --doctest-modules classifier training serving weighbridge.py

train: $(VENV)/.dev ## fit the classifier on the corpus into build/models
	@$(BIN)/weighbridge train

bench: $(VENV)/.dev ## measure speed, memory and size, beside a floor in the same run
	@$(BIN)/python -m tests.benchmarks

bench-proxy: $(VENV)/.dev ## measure beside other proxies, each installed into build/bench on its own
	@$(BIN)/python -m tests.benchmarks proxy

clean: ## remove what make has made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .hypothesis
