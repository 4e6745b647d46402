# A fresh machine needs Python 3.11 or later, with pip and venv, and make. Everything else is put
# into .venv; what the commands write goes to .pipeline (PIPELINE_HOME).

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=

.PHONY: help setup run test test-long lint bench bench-peers faults clean

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1  \2/p' Makefile

setup: .venv/installed ## Make .venv, with the versions of constraints.txt

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

run: setup ## Bring up Postgres, the store and Dagster, fill the tables, stay up until Ctrl-C
	@exec $(BIN)/shopify-pipeline run $(ARGS)

test: setup ## Run the tests, minutes
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

test-long: setup ## Run the tests that take longer: crashes, restarts, the whole from end to end
	$(BIN)/pytest -m long --timeout 1800 $(ARGS)

lint: setup ## Check style, types, layers and Dagster's definitions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@home=$$(mktemp -d) && trap 'rm -rf "$$home"' EXIT && \
	  DAGSTER_HOME=$$home SHOPIFY_SHOP=lint SHOPIFY_ACCESS_TOKEN=lint SHOPIFY_START_DATE=2026-01-01 \
	  DATABASE_URL=postgresql://lint/lint $(BIN)/dagster definitions validate

bench: setup ## Measure against raw COPY and against doing nothing
	@exec $(BIN)/python -m shopify_pipeline_tests.benchmarks $(ARGS)

bench-peers: setup ## Load the same store with dlt's shopify_dlt, from a folder of yours, and compare
	@exec $(BIN)/python -m shopify_pipeline_tests.benchmarks.peers $(ARGS)

faults: setup ## Kill runs, restart Postgres, drop connections; compare with the truth each time
	@exec $(BIN)/python -m shopify_pipeline_tests.faults $(ARGS)

clean: ## Remove what the commands wrote: the embedded Postgres, the store, Dagster's files
	@! { command -v flock >/dev/null && test -e .pipeline/lock && ! flock -n .pipeline/lock true; } || \
	  { echo "make run is running; stop it first"; exit 2; }
	rm -rf .pipeline .tmp_dagster_home_* .pytest_cache .mypy_cache .ruff_cache .hypothesis
