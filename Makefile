# `make demo` and `make test` need Python >= 3.11, make and git; everything else they install into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
# A file that make would remove because it is only a step: keep it.
.SECONDARY:
.PHONY: help demo install test lint types contract pytest long coverage mutants torture fuzz docs peers node-peers wheel pictures lock audit sbom clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.run: requirements/run.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "Installing the locked versions into $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@

install: $(VENV)/.run   ## the connector, with locked versions, in .venv

demo: $(VENV)/.run      ## a practice org, a backfill and a few cycles, in under a minute
	@$(BIN)/connector demo

test: lint types contract pytest wheel  ## everything CI checks

lint: $(VENV)/.dev      ## ruff, both the rules and the format; declared dependencies; the Dockerfile
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/deptry connector practice_org
	@$(BIN)/hadolint Dockerfile

types: $(VENV)/.dev     ## mypy, strict
	@$(BIN)/mypy

contract: $(VENV)/.dev  ## which layer may import which
	@$(BIN)/lint-imports

pytest: $(VENV)/.dev peers  ## the test suite, with a PostgreSQL server of its own; TESTS="tests/store"
	@tools/postgres.sh $(BIN)/python -m pytest $(TESTS)

long: $(VENV)/.dev peers  ## what must always hold, with ten times as many random cases
	@tools/postgres.sh $(BIN)/python -m pytest --hypothesis-profile=long -m hypothesis --timeout=1800

coverage: $(VENV)/.dev peers  ## the suite, with what it does not run: lines and branches
	@tools/postgres.sh $(BIN)/python -m pytest --cov --cov-report=term:skip-covered

mutants: .coverage.tests  ## breaks the code in a sample of places and prints what no test notices; SEED=1 COUNT=40 ONLY=connector
	@tools/postgres.sh $(BIN)/python tools/mutants.py --tests $< --seed $(or $(SEED),1) --count $(or $(COUNT),40) --only $(or $(ONLY),connector)

torture: $(VENV)/.dev    ## breaks what can be broken and looks what is lost; SEED=1 COUNT=100 ONLY=crash:sync:sqlite:17
	@tools/postgres.sh $(BIN)/python tools/torture.py --seed $(or $(SEED),1) --count $(or $(COUNT),0) --only "$(ONLY)"

fuzz: $(VENV)/.dev       ## asks the practice org a million queries, many of them wrong; SEED=1 COUNT=1000000
	@$(BIN)/python -m tests.practice_org.soql_queries --seed $(or $(SEED),1) --count $(or $(COUNT),1000000)

.coverage.tests: $(shell find connector practice_org tests -name '*.py') | $(VENV)/.dev peers
	@echo "Looking which test runs which line ..."
	@COVERAGE_FILE=$@ tools/postgres.sh $(BIN)/python -m pytest --cov --cov-context=test --cov-report= --cov-fail-under=0

docs: $(VENV)/.dev      ## renews the pages, and the JSON Schema, that are made from the code
	@$(BIN)/python docs/generate.py
	@$(BIN)/python -m connector.mapping.reference docs/mapping.md mappings/mapping.schema.json

# Clients that others wrote, each set in an environment of its own; a test that needs one that is missing says so.
peers: $(patsubst requirements/%.lock,.venv-%/.done,$(wildcard requirements/peers*.lock))  ## third-party clients

.venv-%/.done: requirements/%.lock $(VENV)/.dev
	@echo "Installing third-party clients into .venv-$* ..."
	@rm -rf .venv-$* && $(PYTHON) -m venv --without-pip .venv-$*
	@$(BIN)/uv pip install --quiet --system-certs --python .venv-$*/bin/python --require-hashes -r $< \
	  || { rm -rf .venv-$*/bin; echo "They do not install here; their tests will be skipped."; }
	@touch $@

node-peers: .venv-node/.done  ## clients from npm: Salesforce's own CLI, for its tests

.venv-node/.done: requirements/node/package-lock.json
	@echo "Installing clients from npm into .venv-node ..."
	@rm -rf .venv-node && mkdir .venv-node && cp requirements/node/package*.json .venv-node
	@npm ci --prefix .venv-node --ignore-scripts --no-audit --no-fund --loglevel=error \
	  || { rm -rf .venv-node/node_modules; echo "They do not install here; their tests will be skipped."; }
	@touch $@

pictures: $(VENV)/.dev  ## the page with the sample company, wide, narrow and dark, into dist/pictures; needs Debian's chromium
	@$(BIN)/python tools/pictures.py

wheel: $(VENV)/.dev     ## builds the wheel and runs its demo from a clean environment, in another directory
	@rm -rf dist .venv-wheel && $(BIN)/pyproject-build --wheel --outdir dist . >/dev/null
	@$(PYTHON) -m venv .venv-wheel
	@.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	@.venv-wheel/bin/python -m pip install --quiet --disable-pip-version-check --no-deps dist/*.whl
	@cd "$$(mktemp -d)" && "$(CURDIR)/.venv-wheel/bin/connector" demo --json >/dev/null && echo "the wheel's demo works"

LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: $(VENV)/.dev      ## renew the lock files; they name no registry, so that a mirror serves as well
	$(LOCK) pyproject.toml --extra postgresql -o requirements/run.lock
	$(LOCK) pyproject.toml --all-extras --group dev -c requirements/run.lock -o requirements/dev.lock

audit: $(VENV)/.dev      ## what is publicly known against the locked versions, where that can be asked; MORE="--ignore-vuln ID"
	@$(BIN)/python tools/audit.py requirements/run.lock $(MORE)

sbom: dist/sbom.json     ## a bill of materials (CycloneDX) of the locked versions
dist/sbom.json: requirements/run.lock pyproject.toml $(VENV)/.dev
	@mkdir -p dist
	@$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --of JSON -o $@ requirements/run.lock
	@echo "wrote $@"

clean:                  ## removes what make made
	rm -rf $(VENV) .venv-* .coverage* dist build .mypy_cache .ruff_cache .pytest_cache
