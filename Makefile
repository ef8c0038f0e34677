# Everything a developer runs. What is needed is installed into .venv: for `make demo` from
# requirements.lock, for all else from requirements-dev.lock; for `make integration` and
# `make test` also from the system, where that is allowed.

PYTHON ?= python3
BIN := .venv/bin
JOBS ?= 2
PURE := units detector words stream counting simulation tracking results
ROOM ?= $(PURE)
LOCK ?= --upgrade
COMPILE := $(BIN)/uv pip compile -q pyproject.toml --universal --generate-hashes --no-header --no-annotate
REALDATA := $(or $(MUONSCOPE_REALDATA),../shared/realdata)

# Runs a command and tells how long it took.
timed = @begin=$$(date +%s); $(1); code=$$?; echo "make $@: $$(($$(date +%s) - begin)) s"; exit $$code

.PHONY: demo test quick check integration lint docs system kafka soak bench figures fuzz mutants newest profile lock clean help

help: ## Show what there is to make.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

# What running needs, or what developing needs: the second lock holds all that the first does.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "muonscope needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
$(PYTHON) -m venv .venv
$(BIN)/python -m pip install --quiet --require-hashes -r $(1)
$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
$(BIN)/python -c 'from muonscope import kernels; kernels.load(kernels.Purpose)'
endef

.venv/use: requirements.lock pyproject.toml
	$(call install,requirements.lock)
	@touch $@

.venv/installed: requirements-dev.lock requirements.lock pyproject.toml
	$(call install,requirements-dev.lock)
	@touch .venv/use $@

demo: .venv/use ## The live dashboard on a simulated telescope, on 127.0.0.1:5006, until Ctrl-C.
	$(BIN)/muonscope demo --open

test: system .venv/installed ## Everything that must pass: check, docs and integration.
	$(call timed,$(MAKE) --no-print-directory check docs integration)

quick: .venv/installed ## A few examples of the tests of the pure rooms, or of ROOM=words.
	$(call timed,$(BIN)/pytest -q -n $(JOBS) -m "not integration and not slow" \
	  --hypothesis-profile=dev \
	  $(foreach room,$(ROOM),$(wildcard tests/$(room) tests/test_$(room).py \
	  src/muonscope/$(room) src/muonscope/$(room).py)))

check: lint ## Style, types, structure, and all tests but those of integration.
	$(call timed,$(BIN)/pytest -n $(JOBS) -m "not integration")

# Each file in one process, so that its session of Spark and its browser start once.
integration: system .venv/installed ## The tests with a broker, Spark, a browser, the wheel, the docs.
	$(call timed,$(BIN)/pytest -n $(JOBS) --dist loadfile -m integration)

system:
	@PYTHON=$(PYTHON) tools/system_packages.sh

lint: .venv/installed ## Style, types and the structure of imports.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/installed ## Build the documentation; warnings are errors.
	$(BIN)/sphinx-build -q -W --keep-going -n -b html docs docs/_build/html

kafka: .venv/installed ## A Kafka broker on 127.0.0.1:9092, from jars, until Ctrl-C.
	$(BIN)/python tools/local_kafka.py

soak: .venv/installed ## A week on the dashboard; kill replay, process, Spark, archives 1,500 times; takes hours.
	$(BIN)/python tests/dashboard/soak.py --days 7
	$(BIN)/python tests/kafka/soak.py --kills 1000
	$(BIN)/python tests/archiving/soak.py --kills 500

bench: .venv/installed ## Measure against the peers; prints ratios, checks the answers.
	$(BIN)/python benchmarks/run.py
	PYTHONPATH=tests:tools:benchmarks $(BIN)/python benchmarks/kafka_run.py
	PYTHONPATH=tests $(BIN)/python benchmarks/dashboard_run.py
	PYTHONPATH=tests $(BIN)/python benchmarks/muons.py
	$(BIN)/python benchmarks/archive.py

figures: .venv/installed ## Draw the plots of the documentation again.
	$(BIN)/python examples/simulation_plots.py --recordings $(REALDATA)
	$(BIN)/python examples/dashboard_pictures.py
	PYTHONPATH=tests $(BIN)/python benchmarks/muon_plots.py --recordings $(REALDATA)

mutants: .venv/installed ## Make known mistakes in a copy, one at a time: tests must notice.
	$(call timed,$(BIN)/python tools/mutants.py --jobs $(JOBS))

fuzz: .venv/installed ## Feed the codecs garbage for a minute each.
	$(BIN)/python tests/words/fuzz.py --seconds 60

newest: .venv/installed ## Try the newest dependencies, then pre-releases, in build/; TESTS= for a few.
	$(call timed,$(BIN)/python tools/newest.py --jobs $(JOBS) $(TESTS))

profile: .venv/use ## Where processing a simulated file spends its time, function by function.
	$(BIN)/python tools/profile_process.py

lock: .venv/installed ## Pin the newest versions of everything again; LOCK= keeps those that fit.
	$(COMPILE) $(LOCK) --extra alarms --extra pdf --extra root --extra s3 --extra spark --group dev --constraint tools/held_back.txt \
	  -o requirements-dev.lock
	$(COMPILE) $(LOCK) --group install --constraint requirements-dev.lock -o requirements.lock

clean: ## Remove what was built.
	rm -rf .venv build dist docs/_build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
