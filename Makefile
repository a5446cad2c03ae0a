# make demo   a real stack, broken and fixed before your eyes
# make test   everything that checks this project
# make bench  what it costs, in ratios
# make accuracy  how often the runbooks are right
# make soak   what `oncall serve` promises, at length
# Everything goes into this folder, but for what Docker needs: see docs/lab.md.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.SUFFIXES:

# ansible-core 2.19 runs on 3.11, and 2.21 on 3.12 to 3.14. 3.14 comes last, because less has been tried on it. That of the
# distribution comes first: it is built with optimisations that a version manager leaves out, and needs a quarter less time.
# Debian's cannot make an environment without python3-venv: then any other is better, and after that it says so.
PYTHON ?= $(shell for module in ensurepip sys; do \
	for p in /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 python3.13 python3.12 python3.11 python3.14 python3; do \
	$$p -c "import $$module, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))" 2>/dev/null && echo $$p && exit; done; done)
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Unbuffered output makes every pipelined module 1.4 times slower.
unexport PYTHONUNBUFFERED
# Without files of bytecode every process compiles this project again.
unexport PYTHONDONTWRITEBYTECODE
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

.PHONY: help demo test compat bench soak accuracy setup lint types unit contract integration systems alerts promises containers molecule sanity new-runbook \
	docs coverage pins clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

demo: .venv/lab.stamp ## start a real stack, break it, run the runbook, show the result
	@$(BIN)/python -m lab.tools.demo

# What mostly waits runs beside what computes, and what has one processor at work beside its like. Every stage runs, whatever fails before it.
test: .venv/test.stamp ## everything that checks this project
	@MAKE="$(MAKE)" $(BIN)/python tests/support/stages.py \
		"lint | types" "integration | molecule systems" "unit | sanity contract" "alerts | promises" containers

setup: .venv/test.stamp ## only make .venv

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 to 3.14 found; install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	@echo "making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "make: $(PYTHON) cannot make a virtual environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }

.venv/%.stamp: requirements/%.txt | .venv/bin/python
	@echo "installing requirements/$*.txt into .venv (a minute, once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/$*.txt \
		|| { echo "make: pip could not install requirements/$*.txt; see its message above (is PyPI reachable?)"; exit 1; }
	@touch $@

lint: .venv/test.stamp ## ruff, yamllint, ansible-lint, changelog fragments
	ruff check
	ruff format --check
	yamllint --strict .
	ansible-lint --profile production
	antsibull-changelog lint

types: .venv/test.stamp ## mypy
	mypy

unit: .venv/test.stamp ## pure functions and modules
	pytest --numprocesses 2 --dist loadfile tests/unit

contract: .venv/test.stamp ## what every role and module has to keep
	pytest --numprocesses 2 --dist loadfile tests/contract

# These wait more than they compute, the more the fewer containers are in it.
integration: .venv/test.stamp ## every cause, on the real stack
	pytest --numprocesses 3 --dist worksteal tests/integration tests/foreign

# One stack for all tests of a system.
systems: .venv/test.stamp ## the five systems: what their documents name, broken and mended through their own inventories
	pytest --numprocesses 3 --dist loadfile tests/systems

# Playbooks, and services that mostly wait for a lease or a peer: one more than there are processors.
alerts: .venv/test.stamp ## from an alert to what came of it: oncall serve and its neighbours
	pytest --numprocesses 3 --dist loadfile tests/alerts

# They mostly wait for a service that starts again.
promises: .venv/test.stamp ## what oncall serve promises, in short; soak has it at length
	pytest tests/promises

# As many as there are processors: with more, what a container is given of them is no measure of anything.
# An engine that answers is used; as root on Debian or Ubuntu one is installed. Without one, `lab engine` says so in one line
# and ends with 3, which REQUIRE_DOCKER=1 makes a failure.
containers: .venv/test.stamp ## every cause in containers
	pytest --numprocesses 2 --dist loadfile tests/containers

molecule: .venv/test.stamp ## every runbook against a broken Compose project, as molecule scenarios
	@$(BIN)/python -m lab engine; case $$? in 0) molecule test --all;; 3) ;; *) exit 1;; esac

sanity: .venv/test.stamp ## ansible-test sanity
	tests/sanity.sh

compat: ## demo, unit and contract on every pair of Python and ansible-core that is found
	tests/compat.sh

bench: .venv/test.stamp ## what a diagnosis and a table cost: ours, stock modules, by hand, an empty play
	$(BIN)/python benchmarks/bench.py --json benchmarks/last.json --page docs/benchmark.md

# PART=incidents does that part alone, and leaves the others on the page as they are.
soak: .venv/test.stamp ## what oncall serve promises, with hundreds of kills; it takes long
	$(BIN)/python benchmarks/soak.py $(addprefix --part ,$(PART)) --page docs/reliability.md

coverage: .venv/test.stamp ## what the source documents ask for, and the tests that exercise it; fails on a hole
	@$(BIN)/python -m docs.generate.coverage

# Every fault of both labs and of the foreign stack, every runbook asked. STACK=embedded runs that one again, and keeps what is known of the others.
accuracy: .venv/test.stamp ## how often the runbooks are right, on real faults; it takes long
	$(BIN)/python benchmarks/accuracy.py $(addprefix --stack ,$(STACK)) --json benchmarks/accuracy.json --page docs/accuracy.md

docs: .venv/test.stamp ## write the generated files again
	$(BIN)/python -m docs.generate

new-runbook: .venv/test.stamp ## start a runbook that is green at once: make new-runbook NAME=disk_slow
	@$(BIN)/python -m docs.generate.new $(if $(NAME),"$(NAME)")

# uv alone makes one file for all Python versions that has hashes too. Versions stay as they are, unless UPGRADE=1.
PIN = UV_CUSTOM_COMPILE_COMMAND="make pins" .cache/pins/bin/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --generate-hashes \
	--no-emit-index-url --no-emit-find-links
PIN_ALL = $(PIN) --universal --python-version 3.11

# One set first, and the others as parts of it: so a name has one version. The programs run on the containers' Python alone.
pins: .cache/pins.stamp ## pin every dependency again, with hashes (UPGRADE=1: the newest versions)
	$(PIN_ALL) -o requirements/test.txt pyproject.toml requirements/test.in
	$(PIN_ALL) -o requirements/oncall.txt -c requirements/test.txt pyproject.toml
	$(PIN_ALL) -o requirements/run.txt -c requirements/test.txt requirements/run.in
	$(PIN_ALL) -o requirements/lab.txt -c requirements/test.txt requirements/lab.in
	$(PIN_ALL) -o requirements/rulebook.txt -c requirements/test.txt requirements/rulebook.in
	$(PIN_ALL) -o requirements/peers.txt requirements/peers.in
	$(PIN) --python-version 3.11.2 --python-platform linux -o requirements/programs.txt -c requirements/test.txt requirements/programs.in
	$(PIN) --universal --python-version 3.12 --no-deps -o requirements/core-2.20.txt requirements/core-2.20.in
	$(PIN_ALL) -o requirements/pins.txt requirements/pins.in

# Writing the pins touches the file, and need not install uv again.
.cache/pins.stamp: requirements/pins.txt | .venv/bin/python
	@cmp --silent $< $@ || { $(BIN)/python -m venv --clear .cache/pins \
		&& .cache/pins/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $< && cp $< $@; }
	@touch $@

clean: ## remove what make made
	@test ! -x $(BIN)/python || $(BIN)/python -m lab down --purge 2>/dev/null; rm -rf .venv .cache .lab .mypy_cache .ruff_cache .pytest_cache .hypothesis
