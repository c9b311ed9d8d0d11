# One verb for everything. `make demo` and `make test` need only python3 (3.11 or later), pip and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
# A worker more than the smallest machine has cores: many tests wait for a server or a browser.
PYTEST := $(BIN)/python -m pytest -n $(or $(WORKERS),3) --dist loadfile -q

# What is compiled is kept: to compile the tests and the package again takes each worker, and each child of a test, longer
# than most of what it does.
unexport PYTHONDONTWRITEBYTECODE

# Folders with hardly a quick test in them, which make quick does not even collect.
LONG := property torture demo docs store/postgres testing

.DEFAULT_GOAL := help
.PHONY: help setup lock browser demo quick test test-rest slow slow-check bench bench-compare torture mutants docs lint fmt release-check evaluate
.PHONY: setup-frameworks test-frameworks frameworks bench-agent

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)$$/make \1\t\2/' | expand -t 18

$(STAMP): pyproject.toml requirements/dev.txt requirements/pages.in scripts/install.sh
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "muscle_mem needs Python 3.11 or later; run make PYTHON=python3.12")'
	@echo "setting up $(VENV): the package, its extras and the development tools (a minute, once)"
	@test -x $(BIN)/python -a -e $(BIN)/pip || $(PYTHON) -m venv $(VENV) >/dev/null 2>&1 || \
		{ $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --quiet --python $(BIN)/python install pip; }
	@sh scripts/install.sh $(BIN)/python
	@touch $@

setup: $(STAMP) ## create the virtual environment, in the releases of requirements/dev.txt, and fill the caches of the checks
	@$(BIN)/mypy --no-error-summary >/dev/null & $(BIN)/python -m pytest -q --collect-only >/dev/null; wait

# One file for every supported Python and platform, as markers say; without the index that this machine happens to use.
LOCK = $(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-python-downloads \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock'

lock: $(STAMP) ## renew requirements/*.txt: the newest releases that the ranges in pyproject.toml allow
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade uv
	@$(LOCK) --extra dev --extra demo --output-file requirements/dev.txt pyproject.toml requirements/pages.in
	@$(LOCK) $(FRAMEWORKS:%=--extra %) --output-file requirements/frameworks.txt pyproject.toml requirements/frameworks.in
	@$(LOCK) --output-file requirements/agent.txt pyproject.toml requirements/agent.in

browser: ## install a browser for the demo from the system's packages, unless there is one
	@sh scripts/browser.sh

demo: $(STAMP) browser ## run an agent on real web pages: learn, replay, hand over; the recordings stay in demo-memory.db
	@$(BIN)/muscle-mem demo --store demo-memory.db

quick: $(STAMP) ## lint, types and the tests that take under a twentieth of a second each: run it after each edit
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && echo "ruff: clean"
	@$(BIN)/python scripts/words.py && echo "words: clean"
	@$(BIN)/mypy --no-error-summary && echo "mypy: clean"
	@$(PYTEST) -m "not slow" $(LONG:%=--ignore=tests/%)

test: $(STAMP) browser ## lint, types and the tests; of slow tables and long tests, another eighth each day
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check . && echo "ruff: clean"
	@$(BIN)/python scripts/words.py && echo "words: clean"
	@$(BIN)/mypy --no-error-summary && echo "mypy: clean"
	@$(PYTEST) -m "not rest"

test-rest: $(STAMP) browser ## the tests that make test leaves out: controls of the proofs, the other slow tests, the site
	@$(PYTEST) $(if $(WORKERS),,-n 4) -m "rest"

# The frameworks have an environment beside that of the development tools: what they need is large, and changes often.
FRAMEWORKS := pydantic-ai langchain openai-agents openai anthropic
FRAMEWORKS_ENV := $(VENV)-frameworks

$(FRAMEWORKS_ENV)/.ready: requirements/frameworks.txt
	@test -x $(FRAMEWORKS_ENV)/bin/python || $(PYTHON) -m venv $(FRAMEWORKS_ENV)
	@$(FRAMEWORKS_ENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/frameworks.txt
	@touch $@

setup-frameworks: $(FRAMEWORKS_ENV)/.ready ## create the environment of make test-frameworks (a minute, 250 MB)

test-frameworks: $(FRAMEWORKS_ENV)/.ready ## the tests of the adapters, with the frameworks of requirements/frameworks.txt
	@MUSCLE_MEM_COSTS_NOT_KEPT=1 PYTHONPATH=src $(FRAMEWORKS_ENV)/bin/python -m pytest -n $(or $(WORKERS),2) --dist loadfile -q tests/integrations

frameworks: $(STAMP) ## test the adapters with the newest and the lowest versions: ONLY=openai for one, FRESH=1 for all again
	@$(BIN)/python scripts/frameworks.py $(ONLY:%=--only=%) $(if $(FRESH),--fresh)

slow: $(STAMP) browser ## measure all tests, and write the list of the slow ones, tests/slow.txt
	@rm -f .pytest_cache/costs.json
	@$(PYTEST)
	@cd tests/support && $(abspath $(BIN))/python costs.py --write

slow-check: $(STAMP) ## fail if a test that is not in tests/slow.txt took over a second in the last run
	@cd tests/support && $(abspath $(BIN))/python costs.py

torture: $(STAMP) ## run the long proofs, with a line of JSON each: PROOF=kills for one, TORTURE_SCALE=0.1 for a tenth
	@$(BIN)/python -m tests.torture $(PROOF) --large --jobs 2 --scale $(or $(TORTURE_SCALE),1) $(if $(RESULTS),--append $(RESULTS))

mutants: $(STAMP) ## check whether the tests notice small changes of the code: N=60, SEED=2, ONLY='store/*', LIMIT=60, SHOW=3
	@$(BIN)/python -m scripts.mutants --seed $(or $(SEED),1) -n $(or $(N),20) --jobs $(or $(JOBS),2) \
		--limit $(or $(LIMIT),120) $(if $(ONLY),--only '$(ONLY)') $(if $(SHOW),--show $(SHOW))

bench: $(STAMP) ## measure muscle_mem, the prototype and a plain loop: QUICK=1, FULL=1, ONLY=replay, PYTHONS=later
	@$(BIN)/python -m benchmarks $(if $(QUICK),--quick) $(if $(FULL),--full) $(ONLY:%=--only=%) --pythons="$(PYTHONS)"

evaluate: $(STAMP) browser ## replays on 40 real pages, blind and with checks; goes on where it ended: REPORT=1, WRITE=1, TASKS=4 SEEDS=1
	@$(BIN)/python -m benchmarks.evaluate $(TASKS:%=--tasks %) $(SEEDS:%=--seeds %) $(if $(REPORT),--report) $(if $(WRITE),--write)

# The model has an environment beside that of the development tools, too: its weights and what runs them are 200 MB.
AGENT_ENV := $(VENV)-agent

$(AGENT_ENV)/.ready: requirements/agent.txt
	@test -x $(AGENT_ENV)/bin/python || $(PYTHON) -m venv $(AGENT_ENV)
	@$(AGENT_ENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements/agent.txt
	@touch $@

bench-agent: $(AGENT_ENV)/.ready ## an agent with a real small model, with and without a memory (an hour); goes on where it ended: REPORT=1, WRITE=1, SEEDS=2, OUT=mine.jsonl
	@PYTHONPATH=src $(AGENT_ENV)/bin/python -m benchmarks.agent $(SEEDS:%=--seeds %) $(if $(REPORT),--report) $(if $(WRITE),--write) $(OUT:%=--out %) $(AGENT_OPTIONS)

bench-compare: $(STAMP) ## compare two results of make bench: make bench-compare A=old.json B=new.json
	@$(BIN)/python -m benchmarks compare $(or $(A),$(word 2,$(MAKECMDGOALS))) $(or $(B),$(word 3,$(MAKECMDGOALS)))

ifneq (,$(and $(filter bench-compare,$(firstword $(MAKECMDGOALS))),$(word 2,$(MAKECMDGOALS))))
# the two files may also stand bare behind the verb: then make sees them as goals, with nothing to be done
.PHONY: $(wordlist 2,3,$(MAKECMDGOALS))
$(wordlist 2,3,$(MAKECMDGOALS)): ; @:
endif

docs: $(STAMP) ## the documentation as a site, in docs/_build; warnings are errors
	@$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo "docs: docs/_build/index.html"

release-check: ## build wheel and sdist into dist, check them, try the wheel in an empty environment: PYTHONS="python3.11 python3.13"
	@sh scripts/release.sh $(or $(PYTHONS),$(PYTHON))

lint: $(STAMP) ## ruff, mypy and the word list
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/python scripts/words.py

fmt: $(STAMP) ## format, and fix what can be fixed
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .
