# `make dataset` and `make test` need Python 3.11 or newer and make; they set up .venv by themselves.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
SOURCE ?= sample:24
OUT ?= specsia-out
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: dataset test lint bench format clean

dataset: .venv/core
	$(BIN)/specsia build "$(SOURCE)" --out "$(OUT)"
	$(BIN)/specsia verify "$(OUT)/dataset"

test: lint
	$(BIN)/python -m pytest -n auto --dist worksteal

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/core
	$(BIN)/specsia bench render --json
	$(BIN)/specsia bench project --json
	$(BIN)/specsia bench pack --json

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit("specsia needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	touch $@

.venv/core: .venv/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

.venv/dev: .venv/core
	$(PIP) --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
