# make demo: set-up, then the demo.   make test: set-up, then everything that CI runs.
PYTHON ?= python3
# On a machine with a GPU, name the build that fits it: make setup TORCH="torch --index-url URL"
TORCH ?= $(shell grep '^torch==' constraints.txt)
VENV := .venv
BIN := $(VENV)/bin

# Where matting models are kept; they are not part of this project and have licences of their own (docs/matting.md).
MODELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vhmae/models

.PHONY: setup demo test lint types check rvm-weights isnet-weights clean

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

# Three on two cores: browsers and servers are waited for.
check: setup
	$(BIN)/pytest -n 3 --dist loadfile

# pytest last: its closing line ends the output.
test: lint types check

rvm-weights:
	tools/fetch_rvm.sh $(MODELS)

isnet-weights:
	$(PYTHON) tools/fetch_isnet.py $(MODELS)

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
