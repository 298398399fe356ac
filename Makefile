# Tapeline. `make` lists the targets; each one sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LINT := $(VENV)/lint
SOURCE ?= simulated
SYMBOLS ?=
ARGS ?=
# A run and the tests start hundreds of programs, which shall not compile the same modules each time.
unexport PYTHONDONTWRITEBYTECODE
# Processes of `make test`: tests wait more than they compute, so two for each core.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, 2 * (os.cpu_count() or 1)))')

.PHONY: help run test check format sql bench witness screenshots trading-days wheels env lock setup clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and f"Tapeline needs Python 3.11 or newer; {sys.executable} is {sys.version.split()[0]}. Set PYTHON=/path/to/python3.11.")'
	@echo "Setting up: virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv

$(READY): requirements.lock pyproject.toml packages/localaws/pyproject.toml | $(VENV)/bin/uv
	@echo "Setting up: packages of requirements.lock (a minute or two the first time)"
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable . --editable packages/localaws
	@touch $@

$(LINT)/.ready: requirements-lint.lock | $(VENV)/bin/uv
	@echo "Setting up: linters of the template"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LINT)
	@$(BIN)/uv pip sync --quiet --python $(LINT)/bin/python --require-hashes requirements-lint.lock
	@touch $@

setup: $(READY)  ## Create or refresh the virtual environment

run: $(READY)  ## Run everything on this machine: make run SOURCE=yahoo SYMBOLS=AAPL,MSFT
	@exec $(BIN)/tapeline up --source $(SOURCE) $(if $(SYMBOLS),--symbols $(SYMBOLS)) $(ARGS)

test: $(READY)  ## Run all tests, or some: make test ARGS="tests/market -k quotes"
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(or $(ARGS),--cov --cov-report=)
	@$(if $(ARGS),,printf 'Coverage of the test processes, without the programs they start: %s %% (.venv/bin/coverage report)\n' \
	    "$$($(BIN)/coverage report --format=total)")

check: $(READY) $(LINT)/.ready  ## Lint, types, JavaScript, SQL, template and YAML
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/biome check --error-on-warnings
	DENO_DIR=.deno_cache DENO_NO_UPDATE_CHECK=1 $(BIN)/deno check --quiet --no-remote --no-npm src/tapeline/desk/static tests/desk/static
	$(BIN)/python -m include.sql.generate --check
	$(BIN)/sqlfluff lint --processes 2 include/sql
	$(BIN)/cfn-lint infra/template.yaml
	$(LINT)/bin/checkov --file infra/template.yaml --config-file infra/checkov.yaml --compact --quiet --skip-download
	$(BIN)/python -m tests.infra.policies $(VENV)/policies
	$(LINT)/bin/parliament --directory $(VENV)/policies
	$(BIN)/yamllint --strict .
	$(BIN)/check-jsonschema --schemafile include/rules/schema.json include/rules/*.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yaml
	$(BIN)/zizmor --offline --quiet .github
	@if command -v actionlint > /dev/null; then actionlint; else \
	    echo "actionlint is not on this machine, so it did not look at .github/workflows; CI runs it"; fi

format: $(READY)  ## Apply the formatter and the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/biome check --write

sql: $(READY)  ## Write the SQL of the curated tables and docs/data-model.md from their table.yaml
	$(BIN)/python -m include.sql.generate
	$(BIN)/python -m tests.sql.data_model

screenshots: $(READY)  ## Make the pictures of the market desk in docs/images
	$(BIN)/python -m tests.desk.screenshots $(ARGS)

wheels: $(READY)  ## Build the wheels of both distributions into dist/
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist .
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist packages/localaws

trading-days: $(READY)  ## Make the table of trading days from the exchange's calendar
	$(BIN)/python -m tapeline.market.sessions

bench: $(READY)  ## Measure against baselines, in one run
	$(BIN)/python -m benchmarks $(ARGS)

witness: $(READY)  ## Ask a real Trino what it makes of our SQL and tables; needs Java 24 and Maven
	PYTHONPATH=packages/localaws/tests $(BIN)/python -m tests.witness

env:  ## Make .env for `docker compose`, with fresh secrets
	@test ! -e .env || { echo "There is an .env already; its secrets belong to the data in the volumes."; exit 1; }
	@umask 077; while IFS= read -r line; do case $$line in \
	    AIRFLOW_FERNET_KEY=generate) echo "$${line%%=*}=$$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')";; \
	    *=generate) echo "$${line%%=*}=$$(head -c 32 /dev/urandom | od -An -vtx1 | tr -d ' \n')";; \
	    *) printf '%s\n' "$$line";; esac; done < .env.example > .env
	@echo "Made .env. Read it, say which AWS it is, then: docker compose up -d"

lock: $(VENV)/bin/uv  ## Resolve the pyproject.toml files into requirements.lock, for the image requirements-server.lock, and the linters' own
	$(BIN)/uv pip compile --quiet --universal --all-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 pyproject.toml packages/localaws/pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --extra server --constraint requirements.lock --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 pyproject.toml packages/localaws/pyproject.toml --output-file requirements-server.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --python-version 3.11 requirements-lint.in --output-file requirements-lint.lock

clean:  ## Remove the environment, the caches and build output (data in .tapeline stays)
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .deno_cache .hypothesis
