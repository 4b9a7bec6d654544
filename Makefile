# The project's commands. `make run` and `make test` do their own set-up.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup run test attack-log faults lock docs screenshots clean

help:            ## This list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*##/\t/'

setup: .venv/.ready

# Hash-checked packages from requirements.lock; once they are there, nothing is downloaded again.
.venv/.ready: requirements.lock pyproject.toml
	@echo "crisiscall: setting up .venv (Python packages pinned in requirements.lock)"
	@$(PYTHON) -c 'import sys; sys.exit("crisiscall: needs Python 3.11 or later, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/uv --version 2>/dev/null | grep -q ' $(UV_VERSION)' || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e .
	@touch $@

run: setup       ## Synthesise calls, train, start the service, send it a few calls
	@crisiscall demo

test: setup      ## Lint, types, layers, tests
	@.ci/check

attack-log: setup ## Attack a stored log 10,000 times; both verifiers must find every attack
	@python -m tests.faults.attack_log

faults: setup    ## 200 kills under load, 200 that lose unsynced writes, a log that fails (an hour)
	@python -m tests.faults.run

lock: setup      ## Renew requirements.lock from pyproject.toml
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --extra training --group dev --custom-compile-command 'make lock' pyproject.toml -o requirements.lock

docs: setup      ## Renew what is generated: openapi.json, plan.schema.json, parts of README.md
	@python -m tests.docs.generate

screenshots: setup ## Renew the pictures of every page, after `make run` has trained a release
	@python -m tests.docs.screenshots

clean:           ## Remove the environment and everything generated
	rm -rf .venv var .pytest_cache .mypy_cache .ruff_cache .hypothesis
