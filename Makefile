# The few words of this project. `make demo` and `make test` need nothing but make and a Python
# that is new enough; say which one with `make PYTHON=python3.12 test`.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt

# Stamps of what is installed: all words below work a second time without doing it again.
CORE := $(VENV)/.core
DEV := $(VENV)/.dev
BENCH := $(VENV)/.bench
BROWSER := $(VENV)/.browser
MUTATION := $(VENV)/.mutation
DISTRIBUTION := $(VENV)/.distribution
STUDIO := $(VENV)/.label-studio
PEERS := $(VENV)/.peers
DOCS := $(VENV)/.docs
REQUIREMENTS := pyproject.toml constraints.txt

.PHONY: help install demo check test test-slow test-all test-browser pictures bench peers accuracy mutation docs \
  dist try-dist try-lowest try-newest test-label-studio

help:
	@echo "make demo     set up .venv and run the demo: the whole journey on drawn photos"
	@echo "make install  set up .venv with the development extras"
	@echo "make test     set up .venv, check and run the tests but those that take long"
	@echo "make test-slow  set up .venv and run the tests that take over ten seconds each"
	@echo "make test-all  both at once, which is quicker than one after the other"
	@echo "make test-browser  set up .venv and Chromium, and test the page in it"
	@echo "make test-label-studio  set up Label Studio in .venv/.label-studio, and test against it"
	@echo "make check    lint, format and types"
	@echo "make bench    measure speed and memory, against peers; DATA=labels.csv adds training"
	@echo "make peers    measure against fastai, timm, scikit-learn, grad-cam and faiss; PHOTOS=folder"
	@echo "make accuracy  draw accuracy against minutes beside scikit-learn and fastai; DATA=labels.csv"
	@echo "make mutation  measure how many small faults the tests notice; MODULES=nn/graph says where"
	@echo "make docs     write the generated pages, and the site of all documents into site/"
	@echo "make dist     build the wheel and the source archive into dist/"
	@echo "make try-dist  install that wheel into an empty environment, and run the demo there"
	@echo "make try-lowest  run the tests with the lowest versions of all requirements"
	@echo "make try-newest  run the tests with the newest ones"

install: $(DEV)

# What is there already serves the demo; it needs no development extras.
demo: $(if $(wildcard $(DEV)),$(DEV),$(CORE))
	$(RUN) -m tagsight demo

check: $(DEV)
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

# A process for each processor, each with one thread: small networks gain nothing from more. The
# tests of a file stay in one process, which builds what they share once; the files are in the order
# of conftest.py. Bytecode is kept even where that is turned off, as tests start many processes.
PYTEST := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(RUN) -m pytest --numprocesses auto --dist loadfile \
  --no-loadscope-reorder

test: check
	$(PYTEST) -m "not slow" --ignore tests/web

# Several processes, killed runs, and a step of the recipe of every paper.
test-slow: $(DEV)
	$(PYTEST) -m slow

# Collecting the tests takes each process 15 seconds, here once.
test-all: check
	$(PYTEST) --ignore tests/web

# The page in Debian's Chromium; name another with CHROMIUM=/path/of/it.
test-browser: $(BROWSER)
	$(RUN) -m pytest tests/web

# The bridge to Label Studio against the program itself, which has an environment of its own, listens
# on this machine alone, and keeps its data in a temporary folder.
test-label-studio: $(DEV) $(STUDIO)/bin/label-studio
	LABEL_STUDIO=$(STUDIO)/bin/label-studio $(RUN) -m pytest -m label_studio tests/test_label_studio.py

# The pictures of the README; MODEL is the folder of the model that docs/pictures/README.md names.
pictures: $(BROWSER)
	@$(PIP) scikit-image
	$(RUN) docs/pictures/make.py $(MODEL)

# DATA is a labels file, for the benchmarks that need photos.
bench: $(BENCH)
	$(RUN) benchmarks/table.py $(DATA)

# The packages of others have an environment of their own; PHOTOS is a folder of JPEGs.
peers: $(PEERS)/.installed
	$(PEERS)/bin/python benchmarks/peers.py $(PHOTOS)

# DATA is a labels file with splits, IMAGES the folder of its photos; half an hour on two cores.
accuracy: $(PEERS)/.installed
	$(PEERS)/bin/python benchmarks/accuracy_per_minute.py $(DATA) --images $(IMAGES) --out accuracy.json

# MODULES are some of those in the script; all of them take about half an hour.
mutation: $(MUTATION)
	$(RUN) benchmarks/mutation/run.py $(MODULES)

# The site comes to lie in site/; a link that leads nowhere ends it.
docs: $(DOCS)
	$(RUN) -m tagsight.systems.page
	$(RUN) -m mkdocs build --strict

dist: $(DISTRIBUTION)
	rm -rf dist
	$(RUN) -m build --outdir dist
	$(RUN) -m twine check --strict dist/*

try-dist: dist
	PYTHON=$(PYTHON) UVX=$(abspath $(VENV))/bin/uvx bash .ci/try_distribution

try-lowest: $(DISTRIBUTION)
	PYTHON=$(PYTHON) UV=$(VENV)/bin/uv bash .ci/try_versions lowest

try-newest: $(DISTRIBUTION)
	PYTHON=$(PYTHON) UV=$(VENV)/bin/uv bash .ci/try_versions newest

$(CORE): $(RUN) $(REQUIREMENTS)
	@echo "installing tagsight into $(VENV); the first time takes a few minutes"
	@$(PIP) --editable ".[torch]"
	@touch $@

$(DEV): $(RUN) $(REQUIREMENTS)
	@echo "installing tagsight and its development extras into $(VENV); the first time takes a few minutes"
	@$(PIP) --editable ".[dev]"
	@touch $(CORE) $@

$(BROWSER): $(DEV)
	@if ! command -v "$${CHROMIUM:-chromium}" >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; \
	  else echo "expected a Chromium for the browser tests: install one, such as Debian's package" \
	    "chromium, or name it: make CHROMIUM=/path/of/it test-browser" >&2; exit 1; fi; fi
	@$(PIP) --editable ".[browser]"
	@touch $@

$(STUDIO)/bin/label-studio:
	@echo "installing Label Studio into $(STUDIO); this takes a few minutes and 1 GB"
	@$(PYTHON) -m venv $(STUDIO)
	@$(STUDIO)/bin/pip install --quiet --disable-pip-version-check "label-studio==1.23.*"

$(BENCH): $(DEV)
	@$(PIP) --editable ".[bench]"
	@touch $@

$(PEERS)/.installed: $(RUN) $(REQUIREMENTS)
	@echo "installing tagsight and its peers into $(PEERS); this takes a few minutes and 6 GB"
	@$(PYTHON) -m venv $(PEERS)
	@$(PEERS)/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable ".[encoders,glove,plots,search,torch]" "fastai==2.8.*" "faiss-cpu==1.*" "grad-cam==1.5.*" scikit-learn
	@touch $@

$(DOCS): $(DEV)
	@$(PIP) --editable ".[docs]"
	@touch $@

$(MUTATION): $(DEV)
	@$(PIP) --editable ".[mutation]"
	@touch $@

$(DISTRIBUTION): $(RUN) $(REQUIREMENTS)
	@$(PIP) --editable ".[distribution]"
	@touch $@

$(RUN):
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null || { \
	  found=$$($(PYTHON) --version 2>/dev/null || echo missing); \
	  echo "tagsight needs Python 3.11 or newer, and $(PYTHON) is $$found;" \
	    "name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
