# make demo   a real stack, broken and fixed before your eyes
# make test   everything that checks this project
# make bench  what it costs, in ratios
# make soak   what `oncall serve` promises, at length
# Everything goes into this folder, but for what Docker needs: see README.md, "The lab".

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:

# ansible-core 2.19 runs on 3.11 to 3.13.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Unbuffered output makes every pipelined module 1.4 times slower.
unexport PYTHONUNBUFFERED
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: help demo test bench soak setup lint types unit contract integration alerts promises containers molecule sanity docs clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/lab.stamp ## start a real stack, break it, run the runbook, show the result
	@$(BIN)/python -m lab.tools.demo

# What mostly waits runs beside what mostly computes, and promises alone. Every stage runs, whatever fails before it.
test: .venv/test.stamp ## everything that checks this project
	@MAKE="$(MAKE)" $(BIN)/python tests/support/stages.py \
		"lint types" "molecule containers | unit contract sanity integration alerts" promises

setup: .venv/test.stamp ## only make .venv

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "make: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

.venv/%.stamp: requirements/%.txt requirements/run.txt requirements/oncall.txt requirements/lab.txt requirements/programs.txt requirements/constraints.txt | .venv/bin/python
	@echo "installing requirements/$*.txt into .venv (a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/$*.txt \
		|| { echo "make: pip could not install requirements/$*.txt; see its message above (is PyPI reachable?)"; exit 1; }
	@touch $@

lint: .venv/test.stamp ## ruff, yamllint, ansible-lint
	ruff check
	ruff format --check
	yamllint --strict .
	ansible-lint --profile production

types: .venv/test.stamp ## mypy
	mypy

unit: .venv/test.stamp ## pure functions and modules
	pytest tests/unit

contract: .venv/test.stamp ## what every role and module has to keep
	pytest tests/contract

# These wait more than they compute, the more the fewer containers are in it.
integration: .venv/test.stamp ## every cause, on the real stack
	pytest --numprocesses 3 --dist worksteal tests/integration

# Playbooks, and services that compute: no more than there are processors.
alerts: .venv/test.stamp ## from an alert to what came of it: oncall serve and its neighbours
	pytest --numprocesses 2 --dist loadfile tests/alerts

# Alone: they take the whole machine.
promises: .venv/test.stamp ## what oncall serve promises, in short; soak has it at length
	pytest tests/promises

# An engine that answers is used; as root on Debian or Ubuntu one is installed. Without one, `lab engine` says so in one line
# and ends with 3, which REQUIRE_DOCKER=1 makes a failure.
containers: .venv/test.stamp ## every cause in containers
	pytest --numprocesses 2 --dist loadfile tests/containers

molecule: .venv/test.stamp ## every runbook against a broken Compose project, as molecule scenarios
	@$(BIN)/python -m lab engine; case $$? in 0) molecule test --all;; 3) ;; *) exit 1;; esac

sanity: .venv/test.stamp ## ansible-test sanity
	tests/sanity.sh

bench: .venv/test.stamp ## ours, stock modules, by hand, an empty play
	$(BIN)/python benchmarks/bench.py --json benchmarks/last.json --page README.md

soak: .venv/test.stamp ## what oncall serve promises, with hundreds of kills (about 40 minutes)
	$(BIN)/python benchmarks/soak.py --page docs/reliability.md

docs: .venv/test.stamp ## write the generated pages again
	$(BIN)/python docs/generate.py

clean: ## remove what make made
	@test ! -x $(BIN)/python || $(BIN)/python -m lab down --purge 2>/dev/null; rm -rf .venv .cache .lab .mypy_cache .ruff_cache .pytest_cache .hypothesis
