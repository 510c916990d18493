# All that a contributor types. `make` alone lists it.

PYTHON ?= python3
BENCH ?= all
SOAK ?= 10
KILLS ?= 1000
MINUTES ?= 10
export PYTHON
# Empty is unset: without compiled files each run would compile all of the tests anew.
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest --numprocesses auto
DEFINITION := setup.cfg pyproject.toml

.DEFAULT_GOAL := help
.PHONY: help demo test unit sweep crash soak fuzz check reference bench wheel clean packages
.PHONY: lab incident lab-down

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.installed ## stage a small real incident on this machine and run the playbook for it
	@$(BIN)/quell demo

test: packages $(VENV)/.tools ## run all tests, on real servers that they start and remove
	$(PYTEST)

# In memory, where the machine has such a place: thousands of small files are made and removed.
unit: export TMPDIR := $(firstword $(wildcard /dev/shm) /tmp)
unit: $(VENV)/.tools ## run the quick tests that need no servers, in less than half a minute
	$(PYTEST) -m "not lab and not slow and not sweep and not crash"

sweep: packages $(VENV)/.tools ## run the long counts: thousands of commands, dials, kills
	$(PYTEST) --numprocesses 0 -m sweep --timeout 3600

crash: packages $(VENV)/.tools ## end real runs by kill -9 at random points; KILLS=200 for fewer than 1000
	KILLS=$(KILLS) $(PYTEST) --numprocesses 0 -m crash --timeout 7200 -s

soak: packages $(VENV)/.installed ## use hosts that fail again and again; SOAK=60 for an hour
	$(BIN)/python -m benchmarks.soak --minutes $(SOAK)

fuzz: $(VENV)/.tools ## give parsers any input; MINUTES=60 for longer than 10
	$(PYTEST) --numprocesses 0 -p no:randomly -p tests.fuzzing -m hypothesis --timeout 0 \
		--fuzz-minutes $(MINUTES)

check: $(VENV)/.tools ## lint, format, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lab: packages $(VENV)/.tools ## start three hosts with a small system on them, to try playbooks on
	@$(BIN)/python -m tests.incidents up

incident: $(VENV)/.tools ## cause an incident in the lab: NAME=crash, latency, auth, oom, pool, port
	@$(BIN)/python -m tests.incidents cause $(NAME)

lab-down: $(VENV)/.tools ## remove the lab
	@$(BIN)/python -m tests.incidents down

reference: $(VENV)/.tools ## write the pages' tables anew, from the types
	$(BIN)/python -m tests.reference

bench: packages ## measure against the peers; BENCH=startup measures that part alone
	$(PYTHON) -m benchmarks $(BENCH)

wheel: $(VENV)/.installed ## build the wheel into dist/
	@rm -rf build
	@$(BIN)/pip wheel -qq --no-deps --wheel-dir dist .
	@ls dist/*.whl

clean: ## remove all that was made here
	rm -rf $(VENV) .venv-bench build dist *.egg-info
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

packages:
	@scripts/install-packages

# Made afresh when what is to be installed has changed.
$(VENV)/.installed: $(DEFINITION)
	@scripts/make-venv $(VENV) -e .
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	@echo "installing the tools for tests and checks"
	@$(BIN)/pip install -qq --disable-pip-version-check -e '.[test]'
	@touch $@
