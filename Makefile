# Two commands: `make run` serves the demo, `make test` checks everything. Both prepare what they need,
# and are quick when nothing has changed.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Python keeps what it has compiled, whatever the environment says: some hundred processes start in the tests, and
# each would compile all libraries anew, which takes longer than to run.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
PY := $(VENV)/bin/python
MARKET := $(VENV)/bin/market

.PHONY: help setup setup-test run check test bench soak

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r name words; do printf '%-20s%s\n' "$$name" "$$words"; done

setup: $(VENV)/.run ## prepare the environment in .venv
	@$(MAKE) -s $(VENV)/.compiled

setup-test: $(VENV)/.test ## the same, with what the tests need
	@$(MAKE) -s $(VENV)/.compiled

run: setup ## serve the demo and print its address and logins
	@exec $(MARKET) serve --demo

check: $(VENV)/.test ## style, types and import rules
	@$(VENV)/bin/mypy & types=$$!; \
		$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check . && $(VENV)/bin/lint-imports --no-logo; \
		kept=$$?; wait $$types && exit $$kept

# One more than there are processors: each waits for the database, for a browser or for a clock now and then.
test: ## everything: checks, units, database, browser
	@./.ci/browser & browser=$$!; $(MAKE) -s $(VENV)/.test || exit; \
		$(MAKE) setup-test & compiled=$$!; $(MAKE) check; checked=$$?; \
		wait $$browser && wait $$compiled && exit $$checked
	@$(VENV)/bin/pytest -n $$(($$(nproc) + 1)) --dist loadfile --no-loadscope-reorder

bench: setup-test ## measure; every benchmark prints a table and writes JSON to benchmarks/results/
	@for each in benchmarks/*.py; do $(PY) "$$each" || exit 1; done

soak: setup-test ## the slow tests: long runs and random schedules
	@$(VENV)/bin/pytest -m soak
	@EXAMPLES=400 $(VENV)/bin/pytest -n auto tests/unit/meetings

# Stamps: each is as new as the last setup that succeeded. A new setup removes the last one.
$(VENV)/.run: requirements/setup.txt requirements/run.txt .ci/setup
	@./.ci/setup run

$(VENV)/.test: requirements/setup.txt requirements/test.txt .ci/setup
	@./.ci/setup test

# The engine's inner loops as machine code, kept beside their source: half a minute once. `test` checks types meanwhile.
$(VENV)/.compiled:
	@$(PY) -P -m market.prepare && touch $@ || \
		{ echo "编译引擎没有成功，见上 / compiling the engine failed; see above." >&2; exit 1; }
