# Every target sets up what it needs; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin
TESTS ?= libs services deploy cli $(wildcard tests-e2e)

.DEFAULT_GOAL := help
.PHONY: help setup demo up down test check bench prove format lock \
	check-format check-lint check-types check-imports check-dependencies check-spelling check-tidy

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

setup: ## Install everything into .venv (the other targets do it by themselves)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Yipan needs Python 3.11 or newer; name one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) tools/setup.py

demo: setup ## Run a few thousand orders to their end; OLIST=DIR runs the Olist files instead
	@$(BIN)/yipan demo $(if $(OLIST),--olist "$(OLIST)") $(if $(ORDERS),--orders $(ORDERS)) $(if $(SEED),--seed $(SEED))

up: setup ## Start Kafka, PostgreSQL and the services in the background
	@$(BIN)/yipan up

down: setup ## Stop what `up` started; the data stays
	@$(BIN)/yipan down

test: setup ## Run the tests on a real Kafka and a real PostgreSQL; TESTS=libs/backbone narrows
	@$(BIN)/pytest $(TESTS)

check: setup ## Format, lint, types, imports, dependencies, spelling, tidiness
	@$(MAKE) --no-print-directory --jobs=4 --output-sync=target --keep-going \
		check-types check-lint check-format check-imports check-dependencies check-spelling check-tidy

check-format:
	@$(BIN)/ruff format --quiet --check .

check-lint:
	@$(BIN)/ruff check --quiet .

check-types:
	@$(BIN)/basedpyright --warnings

check-imports:
	@$(BIN)/lint-imports --no-logo >.venv/imports.log 2>&1 || { cat .venv/imports.log; exit 1; }

check-dependencies:
	@$(BIN)/python tools/dependencies.py

check-spelling:
	@$(BIN)/codespell

check-tidy:
	@$(BIN)/pytest --quiet --no-header tools

format: setup ## Format, sort imports and repair what the linter can
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

lock: setup ## Write requirements.lock from the members; UPGRADE=1 takes newer versions
	@PATH="$(CURDIR)/$(BIN):$$PATH" tools/lock.sh $(if $(UPGRADE),--upgrade)

bench: setup ## Measure orders per second, latency and CPU per order; writes docs/performance.md
	@$(BIN)/python -m benchmarks --write docs/performance.md

prove: setup ## Run the proofs: faults, mutants; LONG=1 (FAULTS=1000 MINUTES=60 SEED=1)
	@$(if $(LONG),LONG=$(LONG)) $(if $(FAULTS),FAULTS=$(FAULTS)) $(if $(MINUTES),MINUTES=$(MINUTES)) \
		$(if $(SEED),SEED=$(SEED)) $(BIN)/pytest -m prove -s tests-e2e
