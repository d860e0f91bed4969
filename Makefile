# `make demo` and `make test` need Python >= 3.11, make and git; everything else they install into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
# A file that make would remove because it is only a step: keep it.
.SECONDARY:
.PHONY: help demo install test lint types contract pytest postgres peers wheel lock clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.run: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "Installing the locked versions into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.run   ## the connector, with locked versions, in .venv

demo: $(VENV)/.run      ## a practice org, a backfill and a few cycles, in under a minute
	@$(BIN)/connector demo

test: lint types contract pytest  ## everything CI checks

lint: $(VENV)/.dev      ## ruff, both the rules and the format; hadolint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/hadolint Dockerfile

types: $(VENV)/.dev     ## mypy, strict
	@$(BIN)/mypy

contract: $(VENV)/.dev  ## which layer may import which
	@$(BIN)/lint-imports

pytest: $(VENV)/.dev peers  ## the test suite
	@$(BIN)/python -m pytest

postgres: $(VENV)/.dev peers  ## the test suite, with those tests that need a PostgreSQL server
	@tools/postgres.sh $(BIN)/python -m pytest

# Clients that others wrote, each set in an environment of its own; a test that needs one that is missing says so.
peers: $(patsubst requirements-%.lock,.venv-%/.done,$(wildcard requirements-peers*.lock))  ## third-party clients

.venv-%/.done: requirements-%.lock $(VENV)/.dev
	@echo "Installing third-party clients into .venv-$* ..."
	@rm -rf .venv-$* && $(PYTHON) -m venv --without-pip .venv-$*
	@$(BIN)/uv pip install --quiet --system-certs --python .venv-$*/bin/python --require-hashes -r $< \
	  || { rm -rf .venv-$*/bin; echo "They do not install here; their tests will be skipped."; }
	@touch $@

wheel: $(VENV)/.dev     ## builds the wheel and runs its demo from a clean environment, in another directory
	@rm -rf dist .venv-wheel && $(BIN)/pyproject-build --wheel --outdir dist . >/dev/null
	@$(PYTHON) -m venv .venv-wheel
	@.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	@cd "$$(mktemp -d)" && "$(CURDIR)/.venv-wheel/bin/connector" demo --json >/dev/null && echo "the wheel's demo works"

lock:                   ## renew the lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --all-extras -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --all-extras --group dev -c requirements.lock -o requirements-dev.lock

clean:                  ## removes what make made
	rm -rf $(VENV) .venv-* dist build .mypy_cache .ruff_cache .pytest_cache
