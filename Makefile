# make demo: the package, then the demo.   make test: what tests need, then lint, types and tests.   make test-long: the slow ones.
# make docs: the site.   make docs-serve: the site in a browser, built anew as pages change.
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

# Many containers forbid Python to keep what it compiled. Hundreds of processes of the tests would then compile anew all that they
# import, torch among it, at every start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-long mutants lint types check docs docs-serve lock frontend browser space graphs guided weights-follow platforms rvm-weights isnet-weights clean

# What all that works on the code needs.
setup: $(VENV)/dev

# What users have: the package and what it depends on. By the lock file all of it comes at once, of which
# tests import a part: that part alone is compiled, when it is.
$(VENV)/package: pyproject.toml constraints.txt $(LOCK)
	$(PYTHON) -m venv --clear $(VENV)
ifeq ($(LOCK),)
	$(PIP) install --constraint constraints.txt --editable .
else
	$(PIP) install --no-compile --require-hashes --requirement $(LOCK)
	$(PIP) install --no-deps --no-build-isolation --editable .
endif
	touch $@

$(VENV)/dev: $(VENV)/package
ifeq ($(LOCK),)
	$(PIP) install $(TORCH)
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
endif
	touch $@

# The lock file anew, from constraints.txt; needs uv. Where torch's CPU build comes from:
TORCH_FROM ?= --index https://download.pytorch.org/whl/cpu
lock:
	uv pip compile --quiet --generate-hashes --no-annotate --extra dev --constraint constraints.txt \
	  --python-version 3.11 --python-platform x86_64-manylinux_2_28 --index-strategy unsafe-best-match \
	  $(TORCH_FROM) --custom-compile-command 'make lock' \
	  --output-file requirements.lock pyproject.toml

# The pages of the app anew, from frontend/; needs Node 20. What it builds is committed.
frontend: frontend/node_modules
	cd frontend && npm run --silent types && npm run --silent build

frontend/node_modules: frontend/package-lock.json
	cd frontend && npm ci --silent --no-audit --no-fund
	touch $@

# The page without a server, into build/browser (docs/browser.md); needs Node 20.
browser: frontend/node_modules browser/node_modules
	cd frontend && node node_modules/typescript/bin/tsc --noEmit -p ../browser && node build.mjs --browser

browser/node_modules: browser/package-lock.json
	cd browser && npm ci --silent --no-audit --no-fund --ignore-scripts
	touch $@

# A static Space, into build/space: the page, and what the hub reads of it.
space: browser
	rm -rf build/space
	cp -r build/browser build/space
	cp space/README.md space/.gitattributes build/space

# Whether each platform that docs/install.md names has wheels of all that is needed; needs uv, which fetches the Pythons that
# byte-compile the code. OpenTimelineIO has none for 3.14 yet.
platforms:
	for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin x86_64-pc-windows-msvc; do \
	  for python in 3.11 3.12 3.13 3.14; do \
	    grade="--extra grade"; [ $$python != 3.14 ] || grade=; \
	    MACOSX_DEPLOYMENT_TARGET=14.0 uv pip compile --quiet --only-binary :all: --python-platform $$platform \
	      --python-version $$python --extra torch --extra exr --extra web $$grade pyproject.toml > /dev/null \
	      && echo "$$platform, Python $$python: all there" || exit 1; \
	  done; \
	done
	for python in 3.11 3.12 3.13 3.14; do \
	  PYTHONPYCACHEPREFIX=build/compiled uv run --quiet --no-project --python $$python \
	    python -W error::SyntaxWarning -m compileall -q -f src integrations && echo "Python $$python: byte-compiled" || exit 1; \
	done

demo: $(VENV)/package
	$(BIN)/vhmae demo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

# Three on two cores: browsers and servers are waited for. Longest files first (tests/conftest.py).
check: setup
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(TESTS)

# pytest last: its closing line ends the output.
test: lint types check

# Full tables, 500 voters, clusters' crowds, and changes that tests must notice: before a release, and after changes of what they cover.
test-long: setup
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m long --timeout=900 $(TESTS)
	$(MAKE) mutants

# Changes single places of each room, drawn by a seed, and fails where the room's tests notice fewer than 85 % of them.
MUTANTS ?= --sample 15
mutants: $(VENV)/mutation
	$(BIN)/python tools/mutants.py $(MUTANTS) --json build/mutants.json

$(VENV)/mutation: $(VENV)/dev
	$(PIP) install --constraint constraints.txt cosmic-ray
	touch $@

# What guided harmonizing knows of the packaged weights, anew after they change: the prior, the scores, their tables and the picture.
# DATA is where the recipes of configs/benchmarks find their clips; sets that are not yet under SETS are made.
SETS ?= sets
# RUNS holds the weights of Table 1's rows, WORK the whole reports that benchmarks/table1.py keeps of them.
RUNS ?= runs
WORK ?= work
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
# The picture is drawn by free, with its own prior.
	test -e $(SETS)/dev-free/test_list.txt || \
	  $(BIN)/vhmae synthesize --config configs/benchmarks/dev-free.yaml --data $(DATA) -o $(SETS)/dev-free
	$(BIN)/vhmae fit-prior --weights free --data $(SETS)/dev-free -o src/vhmae/assets/free.prior.json
	$(BIN)/vhmae demo -o $(SETS)/demo
	$(BIN)/python benchmarks/guided_picture.py --demo $(SETS)/demo --data $(DATA)
	$(BIN)/python benchmarks/tables.py

# All that rests on packaged weights, anew after they change: the graphs of their architectures where the package lacks them, priors, scores,
# tables and cards. The constant maps stay: they are fitted to sets and know nothing of weights (vhmae fit-constant, where looks change).
# What is not kept here is built from the weights when it is asked for: the page without a server (make browser), Nuke's folder (vhmae export
# cattery). By hand: the three figures under guided.jpg in docs/results.md, docs/pictures of tutorial, app, browser, research, RCVH and study
# (each page says how), and results/answer_then_gain.json (docs/decisions.md).
weights-follow: graphs guided
	$(BIN)/python benchmarks/look_scores.py --data $(DATA) --sets $(SETS)
	$(BIN)/python benchmarks/look_scores.py --data $(DATA) --sets $(SETS) --weights free --methods vhmae --json benchmarks/results/looks-free.json
	$(BIN)/python benchmarks/scores.py --data $(DATA) --sets $(SETS) --weights free --methods vhmae --only val-edge,val-mild,val-large --json benchmarks/results/scores-free.json
	$(BIN)/python benchmarks/scores.py --data $(DATA) --sets $(SETS)
	$(BIN)/python benchmarks/steadiness.py --sets $(SETS)
	$(BIN)/python benchmarks/context.py --sets $(SETS)
	$(BIN)/python benchmarks/one_look.py --sets $(SETS)
	$(BIN)/python benchmarks/evidence_trials.py --data $(DATA) --sets $(SETS) --cache $(WORK)/evidence --packaged
	test ! -e benchmarks/results/table1.json || \
	  $(BIN)/python benchmarks/table1.py --data $(DATA) --sets $(SETS) --runs $(RUNS) --work $(WORK) --only default,free
	$(BIN)/python benchmarks/tables.py
	$(BIN)/python benchmarks/figures.py results

graphs: setup
	$(BIN)/python tools/record_graphs.py

# The site, in build/site; every link within it is followed. Where there is npm, it holds the page without a server.
export NO_MKDOCS_2_WARNING := 1
docs: setup $(if $(shell command -v npm),browser)
	$(BIN)/mkdocs build --quiet
	$(BIN)/linkchecker --no-status --no-warnings -o failures --ignore-url '^(https?|mailto):' build/site/index.html

docs-serve: setup
	$(BIN)/mkdocs serve

rvm-weights:
	tools/fetch_rvm.sh $(MODELS)

isnet-weights:
	$(PYTHON) tools/fetch_isnet.py $(MODELS)

clean:
	rm -rf $(VENV) build demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
