# Everything a person does with this repository. `make` alone explains; needs GNU make, Git and Python, nothing else.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTEST_ARGS ?=
DEMO_ARGS ?=
BENCH_RESULTS ?= tests/benchmarks/results

VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
ENGINE := distributor/_engine
ENGINE_SOURCES := $(wildcard $(ENGINE)/*.go) $(ENGINE)/go.mod $(ENGINE)/go.sum $(ENGINE)/hatch_build.py

# A Python counts only if it runs, is supported, and can make virtual environments: version managers leave names behind that
# do not run, and some distributions ship venv apart. `PYTHON=...` names one and skips the search.
PROBE := import ensurepip, sys, venv; ensurepip.version(); sys.exit(sys.version_info[:2] not in
MINORS := 14 13 12 11

# The environment is made again when it does not run any more or when the clone was moved (its scripts name their folder).
SOUND := $(shell [ "$$(cat $(VENV)/.home 2>/dev/null)" = "$$(pwd -P)" ] && $(PY) -c pass 2>/dev/null && echo yes)

.PHONY: help
help: ## Print this
	@echo "Distributor: a tag moves a package to every cluster, through gates."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile
	@echo
	@echo "  PYTHON=...       the Python to use (3.11 to 3.14; else the newest that is found)"
	@echo "  PYTEST_ARGS=...  more for pytest, such as '-n 2' or '-k ledger'"

.PHONY: install
install: $(VENV)/.project ## Make .venv with everything in it, the render engine too
	@:

.PHONY: demo
demo: install ## Play the main job: tags move a shop through five environments to 21 cluster folders
	@$(VENV)/bin/distributor demo $(DEMO_ARGS)

.PHONY: test
test: install ## Run all tests but benchmarks and the long loops
	@$(PY) -m pytest -m "not benchmark and not soak" $(PYTEST_ARGS)

.PHONY: check
check: install ## Check format, style, types, layers and docs
	@$(PY) -m ruff format --check --quiet . || { echo "make check: run '$(PY) -m ruff format .'" >&2; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-logo --no-cache >$(VENV)/.layers 2>&1 || { cat $(VENV)/.layers; exit 1; }
	@$(PY) -m docs.generate --check
	@echo "make check: format, style, types, layers and docs are fine"

.PHONY: golden
golden: install ## Rewrite the expected files of tests/golden; look at the difference before you commit
	@DISTRIBUTOR_WRITE_GOLDEN=1 $(PY) -m pytest -q -k golden $(PYTEST_ARGS)
	@git --no-pager diff --stat -- tests/golden

.PHONY: bench
bench: install ## Measure, and write JSON to BENCH_RESULTS
	@mkdir -p "$(BENCH_RESULTS)"
	@DISTRIBUTOR_BENCH_RESULTS="$(BENCH_RESULTS)" $(PY) -m pytest tests/benchmarks -m benchmark -s --timeout=1800 $(PYTEST_ARGS)
	@$(PY) -m tests.benchmarks.report --results "$(BENCH_RESULTS)" || true

.PHONY: soak
soak: install ## Run the long loops in full
	@$(PY) -m pytest -m soak --timeout=7200 $(PYTEST_ARGS)

.PHONY: docs
docs: install ## Write docs/reference again from the program
	@$(PY) -m docs.generate

.PHONY: controlplane
controlplane: install ## Start a real Kubernetes control plane with simulated nodes, until Ctrl-C
	@$(PY) -m tests.controlplane

.PHONY: lock
lock: install ## Resolve requirements.lock again
	@$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  --group test --group check --group build pyproject.toml -o requirements.lock

.PHONY: clean
clean: ## Remove what was made here: .venv, the engine, caches, the demo
	rm -rf $(VENV) .demo build dist $(ENGINE)/bin .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find distributor tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: FORCE
FORCE:

$(VENV)/.python: $(if $(SOUND),,FORCE)
	@found=; \
	for minor in $(MINORS); do \
	  for name in $${PYTHON:-python3.$$minor python3 python}; do \
	    if "$$name" -c "$(PROBE) [(3, $$minor)])" >/dev/null 2>&1; then found=$$name; break 2; fi; \
	  done; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "make: DST704: no Python 3.11 to 3.14 with its venv module was found$${PYTHON:+ (PYTHON=$$PYTHON)}." >&2; \
	  echo "Install one (on Debian and Ubuntu also the package python3-venv), or name it: make PYTHON=/path/to/python3.13" >&2; \
	  exit 2; \
	fi; \
	echo "make: $(VENV) with $$("$$found" --version)"; \
	rm -rf $(VENV) && "$$found" -m venv $(VENV) && pwd -P >$(VENV)/.home && touch $@

$(VENV)/.packages: $(VENV)/.python requirements.lock
	@echo "make: installing the packages of requirements.lock"
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@touch $@

# No build isolation: the build tools are pinned in the lock file too, and pip keeps to the index that the user configured.
$(VENV)/.project: $(VENV)/.packages pyproject.toml $(ENGINE_SOURCES)
	@echo "make: installing distributor; the render engine is compiled if it changed (a few minutes the first time)"
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
