# Everything a developer runs. `make demo` and `make test` install what they need into .venv.

PYTHON ?= python3
BIN := .venv/bin
REALDATA := $(or $(MUONSCOPE_REALDATA),../shared/realdata)

.PHONY: demo test lint docs unit kafka soak bench figures fuzz lock clean help

help: ## Show what there is to make.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "muonscope needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -c 'from muonscope.kernels import *; load_kernels(PROCESSING + SIMULATION)'
	@touch $@

demo: .venv/installed ## The live dashboard on a simulated telescope, on 127.0.0.1:5006, until Ctrl-C.
	$(BIN)/muonscope demo --open

test: .venv/installed lint docs unit ## Everything that must pass: style, types, structure, docs, tests.

lint: .venv/installed ## Style, types and the structure of imports.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/installed ## Build the documentation; warnings are errors.
	$(BIN)/sphinx-build -q -W --keep-going -n -b html docs docs/_build/html

unit: .venv/installed ## The tests and doctests.
	$(BIN)/pytest -n 2

kafka: .venv/installed ## A Kafka broker on 127.0.0.1:9092, from jars, until Ctrl-C.
	$(BIN)/python tools/local_kafka.py

soak: .venv/installed ## A week on the dashboard; kill replay, process and Spark 1,000 times; takes hours.
	$(BIN)/python tests/dashboard/soak.py --days 7
	$(BIN)/python tests/kafka/soak.py --kills 1000

bench: .venv/installed ## Measure against the peers; prints ratios, checks the answers.
	$(BIN)/python benchmarks/run.py
	PYTHONPATH=tests:tools:benchmarks $(BIN)/python benchmarks/kafka_run.py
	PYTHONPATH=tests $(BIN)/python benchmarks/dashboard_run.py

figures: .venv/installed ## Draw the plots of the documentation again.
	$(BIN)/python examples/simulation_plots.py --recordings $(REALDATA)
	$(BIN)/python examples/dashboard_pictures.py

fuzz: .venv/installed ## Feed the codecs garbage for a minute each.
	$(BIN)/python tests/words/fuzz.py --seconds 60

lock: .venv/installed ## Pin the newest versions of everything again.
	$(BIN)/uv pip compile -q --upgrade pyproject.toml --extra s3 --extra spark --group dev --universal \
	  --generate-hashes --no-header --no-annotate -o requirements.lock

clean: ## Remove what was built.
	rm -rf .venv build dist docs/_build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
