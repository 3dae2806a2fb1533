# make demo: the package, then the demo.   make test: what tests need, then lint, types and tests.   make test-long: the slow ones.
PYTHON ?= python3
# What tests need; the demo does without. On a machine with a GPU, name the build that fits it:
# make test TORCH="torch --index-url URL"
TORCH ?= $(shell grep '^torch==' constraints.txt)
# CI installs by digest (.ci/run): the same versions, for Linux on x86-64 with torch's CPU build.
LOCK ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
# Which tests, for make check: make check TESTS=tests/video
TESTS ?=

# Where matting models are kept; they are not part of this project and have licences of their own (docs/matting.md).
MODELS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/vhmae/models

.PHONY: setup demo test test-long lint types check lock guided frontend weights-follow rvm-weights isnet-weights clean

# What all that works on the code needs.
setup: $(VENV)/dev

# What users have: the package and what it depends on.
$(VENV)/package: pyproject.toml constraints.txt $(LOCK)
	$(PYTHON) -m venv --clear $(VENV)
ifeq ($(LOCK),)
	$(PIP) install --constraint constraints.txt --editable .
else
	$(PIP) install --require-hashes --requirement $(LOCK)
	$(PIP) install --no-deps --no-build-isolation --editable .
endif
	touch $@

$(VENV)/dev: $(VENV)/package
ifeq ($(LOCK),)
	$(PIP) install $(TORCH)
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
endif
	touch $@

# The lock file anew, from constraints.txt; needs uv.
lock:
	uv pip compile --quiet --generate-hashes --no-annotate --extra dev --constraint constraints.txt \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 --index-strategy unsafe-best-match \
	  --index https://download.pytorch.org/whl/cpu --custom-compile-command 'make lock' \
	  --output-file requirements.lock pyproject.toml

# The pages of the app anew, from frontend/; needs Node 20. What it builds is committed.
frontend: frontend/node_modules
	cd frontend && npm run --silent types && npm run --silent build

frontend/node_modules: frontend/package-lock.json
	cd frontend && npm ci --silent --no-audit --no-fund
	touch $@

demo: $(VENV)/package
	$(BIN)/vhmae demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# Three on two cores: browsers and servers are waited for.
check: setup
	$(BIN)/pytest -n 3 --dist loadfile $(TESTS)

# pytest last: its closing line ends the output.
test: lint types check

# Full tables, 500 voters, clusters' crowds: before a release, and after changes of what they cover.
test-long: setup
	$(BIN)/pytest -n 2 --dist loadfile -m long --timeout=900 $(TESTS)

# What guided harmonizing knows of the packaged weights, anew after they change: the prior, the scores, their tables and the picture.
# DATA is where the recipes of configs/benchmarks find their clips; sets that are not yet under SETS are made.
SETS ?= sets
GUIDED_DEV := dev-two dev-camera dev-photo dev-mild dev-large dev-people
GUIDED_VAL := val-two val-camera val-real dev-real val-mild val-one val-large val-light val-people
guided: setup
	for set in $(GUIDED_DEV) $(GUIDED_VAL); do \
	  case $$set in *-real) made=aligned;; *) made=synthesize;; esac; \
	  test -e $(SETS)/$$set/test_list.txt || \
	    $(BIN)/vhmae $$made --config configs/benchmarks/$$set.yaml --data $(DATA) -o $(SETS)/$$set || exit 1; \
	done
	$(BIN)/vhmae fit-prior --data $(addprefix $(SETS)/,$(GUIDED_DEV)) -o src/vhmae/assets/default.prior.json
	$(BIN)/python benchmarks/guided.py --sets $(SETS) --of $(GUIDED_VAL) --seeds 2 --json benchmarks/results/guided.json
	$(BIN)/vhmae demo -o $(SETS)/demo
	$(BIN)/python benchmarks/guided_picture.py --demo $(SETS)/demo --data $(DATA)
	$(BIN)/python benchmarks/tables.py

# All that rests on packaged weights, anew after they change: priors, scores, tables. ONNX graphs hold no numbers and stay.
weights-follow: guided
	test -e $(SETS)/dev-free/test_list.txt || \
	  $(BIN)/vhmae synthesize --config configs/benchmarks/dev-free.yaml --data $(DATA) -o $(SETS)/dev-free
	$(BIN)/vhmae fit-prior --weights free --data $(SETS)/dev-free -o src/vhmae/assets/free.prior.json
	$(BIN)/python benchmarks/look_scores.py --data $(DATA) --sets $(SETS)
	$(BIN)/python benchmarks/look_scores.py --data $(DATA) --sets $(SETS) --weights free --methods vhmae --json benchmarks/results/looks-free.json
	$(BIN)/python benchmarks/scores.py --data $(DATA) --sets $(SETS)
	$(BIN)/python benchmarks/tables.py

rvm-weights:
	tools/fetch_rvm.sh $(MODELS)

isnet-weights:
	$(PYTHON) tools/fetch_isnet.py $(MODELS)

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
