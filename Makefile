# Lakelight. `make` alone lists what there is.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --require-hashes
RUN_STAMP := $(VENV)/installed-$(shell cksum < requirements.txt | tr ' ' -)
DEV_STAMP := $(VENV)/installed-dev-$(shell cat requirements.txt requirements-dev.txt | cksum | tr ' ' -)
COMPILE := CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/lock/bin/pip-compile --quiet --generate-hashes --allow-unsafe \
	--strip-extras --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

.DEFAULT_GOAL := help
.PHONY: help install run test check attacks mutation bench bench-full browser lock clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(RUN_STAMP) ## Install what is needed, prepare the demo, serve on http://127.0.0.1:8050 (PORT=… for another port)
	@exec $(PY) cli.py run

install: $(RUN_STAMP) ## Install only

test: $(DEV_STAMP) browser ## Run the whole suite, with Chromium where it is there
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then exec $(PY) -m pytest --browser; \
	else exec $(PY) -m pytest; fi

check: $(DEV_STAMP) ## Lint, types, layers, spelling, documents
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell
	@if [ -d tests/docs ]; then exec $(PY) -m pytest tests/docs; fi

attacks: $(DEV_STAMP) ## Attack a real server: gunicorn, two workers, canaries in every row (docs/security-coverage.md)
	@exec $(PY) -m pytest tests/attacks

mutation: $(DEV_STAMP) ## Change the guard and the policy one thing at a time; no change may go unnoticed (an hour)
	@exec $(PY) -m tests.mutation

bench: $(DEV_STAMP) browser ## Measure what can be measured in ten minutes
	@exec $(PY) -m benchmarks

bench-full: $(DEV_STAMP) browser ## Measure everything
	@exec $(PY) -m benchmarks --full

browser: ## Install Chromium from Debian's packages where it is missing and root may
	@if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing Chromium …"; apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null || \
	  echo "Chromium cannot be installed here, so the tests that drive it are left out."; \
	else echo "Chromium is missing, so the tests that drive it are left out. As root: apt-get install chromium"; fi

lock: ## Pin requirements*.txt anew, exactly and with hashes
	@$(PYTHON) -m venv --clear $(VENV)/lock && $(VENV)/lock/bin/pip install --disable-pip-version-check -q pip-tools
	$(COMPILE) --output-file requirements.txt requirements.in
	$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	@rm -rf $(VENV)/lock
	@if grep -nE '://|^ *--[^h]|@ file' requirements.txt requirements-dev.txt; then \
	  echo "The pinned files name an address of this machine: remove it."; exit 1; fi

clean: ## Remove caches and what tests built; never instance/
	rm -rf mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .demo-test
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Lakelight needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "A virtual environment cannot be made. On Debian: apt-get install python3-venv"; exit 1; }

$(RUN_STAMP): requirements.txt | $(PY)
	@echo "Installing the libraries, once (a minute or two) …"
	@$(PIP) -r requirements.txt
	@rm -f $(VENV)/installed-[0-9]* && touch $@

$(DEV_STAMP): $(RUN_STAMP) requirements-dev.txt
	@echo "Installing the tools for tests and checks, once …"
	@$(PIP) -r requirements-dev.txt
	@rm -f $(VENV)/installed-dev-* && touch $@
