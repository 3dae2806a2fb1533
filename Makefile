# make demo: set-up, then the demo.   make test: set-up, then everything that CI runs.
PYTHON ?= python3
# On a machine with a GPU, name the build that fits it: make setup TORCH="torch --index-url URL"
TORCH ?= $(shell grep '^torch==' constraints.txt)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: setup demo test lint types check clean

setup: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/vhmae demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

check: setup
	$(BIN)/pytest

# pytest last: its closing line ends the output.
test: lint types check

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
