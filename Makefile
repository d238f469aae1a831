# Everything starts here. `make up` starts the studio, `make test` tests it; both do all they need from a fresh clone
# with Python 3.11 or 3.12, make and a network. `make help` lists the rest.
#
#   PORT=8080 make up                 another port (also HOST, DEEPSEEK_HOME)
#   PYTHON=python3.12 make up         another Python
#   TORCH_INDEX=URL make up           the package index that PyTorch comes from, for example one with CUDA builds

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix static/studio
FRONT_END_SOURCES := $(shell find static/studio -name node_modules -prune -o -type f -print 2>/dev/null)
MESSAGES := $(patsubst %.po,%.mo,$(shell find webapp/locale -name '*.po' 2>/dev/null))
# Where tests that need a running studio, a browser or PostgreSQL lie: looking for them everywhere takes a while.
STUDIO_TESTS := tests/service tests/e2e tests/deepseek
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help up install install-dev frontend catalog gpu-carry test test-slow check format clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

up: install frontend ## start the studio on this machine and stay until Ctrl-C
	@exec $(BIN)/deepseek up

install: $(STAMPS)/install $(MESSAGES) ## make .venv and install the studio
install-dev: $(STAMPS)/install-dev $(MESSAGES)
frontend: static/dist/manifest.json ## build the front end
catalog: $(STAMPS)/install ## build the catalog of blocks
	@echo "Reading the catalog of blocks (10 seconds when it has to be built) ..."
	@$(BIN)/python -c "from engine.api import load_catalog; print(len(load_catalog()['blocks']), 'blocks')"

gpu-carry: install frontend ## build gpu-carry/: what a machine with a GPU and no network lacks (DATA=folder of data sets)
	@$(BIN)/python deploy/gpu_carry.py gpu-carry $(if $(DATA),--data "$(DATA)")

# ---- tests ----

test: install-dev frontend $(STAMPS)/chromium ## all but the slow tests (8 minutes on 2 cores)
	@echo "Front end ..."
	@$(NPM) run --silent test
	@echo "Unit and integration tests, doctests ..."
	@$(PYTEST) -n 2 --dist loadfile -q --durations=5 --doctest-modules tests engine deepseek
	@echo "Services, processes and browser ..."
	@$(PYTEST) -n 2 --dist loadgroup -m "(service or e2e) and not slow and not gpu" -q --durations=10 $(STUDIO_TESTS)

test-slow: install-dev frontend $(STAMPS)/chromium ## the slow tests (up to 45 minutes)
	@$(PYTEST) -m "slow and not gpu" -q --durations=10 --timeout=1500 tests

check: install-dev $(STAMPS)/node_modules ## format, lint, types and layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(NPM) run --silent check

format: install-dev $(STAMPS)/node_modules ## put the sources into their usual form
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .
	@$(NPM) run --silent format

clean: ## remove what was built and installed; your studio's data stays
	rm -rf $(VENV) static/dist static/studio/node_modules build dist
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- what is made once ----

# A Python that runs (a version manager may leave a name that does not) and is new enough; 3.11 and 3.12 come first.
define FIND_PYTHON
for name in $(PYTHON) python3 python3.12 python3.11 python3.14 python3.13 python; do \
  if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then echo "$$name"; exit; fi; \
done; \
for name in $(PYTHON) python3.13 python3.14 python3; do \
  if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$name"; exit; fi; \
done
endef

define INSTALL
@mkdir -p $(VENV)
@python="$$($(FIND_PYTHON))"; \
if [ -z "$$python" ]; then \
  echo "error: no Python 3.11 or newer was found. Install Python 3.12, or name yours: PYTHON=/path/to/python3.12 make up" >&2; exit 1; \
fi; \
"$$python" deploy/install.py $(VENV)
endef

$(STAMPS)/install: pyproject.toml constraints.txt deploy/install.py
	$(INSTALL) build,compress,pretrained
	@mkdir -p $(@D) && touch $@

$(STAMPS)/install-dev: $(STAMPS)/install
	$(INSTALL) dev
	@mkdir -p $(@D) && touch $@

$(STAMPS)/node_modules: $(STAMPS)/install static/studio/package-lock.json
	@echo "Installing the front end's packages (about 30 seconds) ..."
	@$(NPM) ci --loglevel=error --no-progress
	@touch $@

$(STAMPS)/chromium: $(STAMPS)/install-dev
	@$(BIN)/python deploy/chromium.py
	@touch $@

static/dist/manifest.json: $(STAMPS)/node_modules $(FRONT_END_SOURCES)
	@echo "Building the front end (about 30 seconds) ..."
	@$(NPM) run --silent build -- --logLevel warn
	@touch $@

%.mo: %.po | $(STAMPS)/install
	@$(BIN)/pybabel --quiet compile --use-fuzzy --input-file $< --output-file $@
