# Everything a newcomer or CI needs; each target sets up what it uses in .venv.
#
#   make demo        train an ordinary and an interpretable network, write demo_output/
#   make test        the tests, but for the longest
#   make test-slow   the longest: trainings from beginning to end, every backend
#   make test-oldest     the core of them with the oldest Keras that setup.cfg allows
#   make test-nightly    the core of them with tonight's Keras
#   make test-site    the built site and the pages of reports, opened in Chromium
#   make lint        formatting, lint and types
#   make tutorials   run the notebooks from top to bottom
#   make tutorials-saved   run them and save what they print and draw
#   make exercises   do the solutions of the notebooks' exercises pass their checks?
#   make mark HANDED_IN=folder   run and mark the notebooks of a class
#   make slides      a deck of slides for each notebook that has them, into slides/
#   make docs        build the documentation site into site/
#   make bench       timings against plain Keras
#   make clean       remove .venv and everything that was built

PYTHON ?= python3
VENV ?= .venv
OUT ?= demo_output
# The tests compare the backends. This version has a CPU build; `make test TORCH=`
# leaves torch out, and the tests that need it are skipped and say so.
TORCH ?= torch==2.13.0
# Two processes, a test file each at a time; `make test PYTEST_ARGS=` runs one.
PYTEST_ARGS ?= --numprocesses 2 --dist loadfile

# What `make test-oldest` and `make test-nightly` run: what looks deepest into Keras.
CORE_TESTS ?= tests/_network tests/attribution tests/layers tests/losses \
  tests/models/test_conversion.py tests/models/test_interpretable_model.py \
  tests/receptive_fields
OLDEST_KERAS := $(shell sed -n "s/^ *keras>=//p" setup.cfg)

BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --disable-pip-version-check
# The program's own text matters here, not TensorFlow's start-up log.
export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: help demo test test-slow test-extras test-oldest test-nightly test-site lint tutorials tutorials-saved exercises mark slides docs bench clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^#   //p' Makefile

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11, 4))' || \
	  { echo "$(PYTHON) is too old: Python 3.11.4 or newer is needed." \
	    "Name one with: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The package is installed in place, so only a change of what it needs installs again.
$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/python
	@echo "Installing keras_interp and TensorFlow into $(VENV), once: some minutes."
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed
	$(INSTALL) --quiet --editable '.[$*]'
	@touch $@

$(VENV)/.installed-backends: $(VENV)/.installed
	$(INSTALL) --quiet --editable '.[jax]' $(TORCH)
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/keras-interp demo --out $(OUT)

test: $(VENV)/.installed-dev $(VENV)/.installed-data $(VENV)/.installed-text \
  $(VENV)/.installed-backends
	$(BIN)/python -m pytest -m "not slow and not backends" --ignore tests/test_site.py \
	  $(PYTEST_ARGS)

test-slow: $(VENV)/.installed-dev $(VENV)/.installed-data $(VENV)/.installed-text \
  $(VENV)/.installed-backends
	$(BIN)/python -m pytest -m "slow or backends" --ignore tests/test_site.py \
	  --ignore tests/test_exercises.py $(PYTEST_ARGS)

# What works with packages that few users have; without them these tests are skipped.
EXTRA_TESTS = tests/callbacks/test_filter_board.py tests/models/test_export.py \
  tests/test_keras_hub.py
test-extras: $(VENV)/.installed-dev $(VENV)/.installed-tensorboard \
  $(VENV)/.installed-export $(VENV)/.installed-hub $(VENV)/.installed-backends
	$(BIN)/python -m pytest $(PYTEST_ARGS) $(EXTRA_TESTS)

# A second environment that sees the packages of .venv, and before them a Keras of its
# own: that takes seconds.
LIBRARY = -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
define test_with_keras
	$(BIN)/python -m venv --clear --without-pip $(1)
	library=$$($(1)/bin/python $(LIBRARY)) && \
	  $(BIN)/python $(LIBRARY) > $$library/packages.pth && \
	  $(INSTALL) --quiet --no-deps --target $$library $(2)
	@$(1)/bin/python -c 'import keras; print("Core tests with Keras", keras.__version__)'
	$(1)/bin/python -m pytest $(PYTEST_ARGS) -m "not slow and not backends" $(CORE_TESTS)
endef

test-oldest: $(VENV)/.installed-dev $(VENV)/.installed-data $(VENV)/.installed-text \
  $(VENV)/.installed-backends
	$(call test_with_keras,$(VENV)-oldest,keras==$(OLDEST_KERAS))

test-nightly: $(VENV)/.installed-dev $(VENV)/.installed-data $(VENV)/.installed-text \
  $(VENV)/.installed-backends
	$(call test_with_keras,$(VENV)-nightly,--pre keras-nightly)

# Without Chromium on the machine these tests are skipped and say so.
test-site: $(VENV)/.installed-dev $(VENV)/.installed-docs $(VENV)/.installed-slides \
  $(VENV)/.installed-browser
	$(BIN)/python -m pytest tests/test_site.py tests/reporting/test_page_in_browser.py

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

tutorials: $(VENV)/.installed-tutorials $(VENV)/.installed-text
	$(BIN)/python -m pytest -o addopts= -o timeout=0 \
	  --nbmake --nbmake-timeout=900 tutorials

NOTEBOOKS ?= tutorials/*.ipynb
tutorials-saved: $(VENV)/.installed-tutorials $(VENV)/.installed-text
	$(BIN)/python tutorials/execute.py $(NOTEBOOKS)

exercises: $(VENV)/.installed-tutorials $(VENV)/.installed-text
	$(BIN)/python -m pytest -o timeout=0 tests/test_exercises.py

HANDED_IN ?= handed_in
mark: $(VENV)/.installed-tutorials $(VENV)/.installed-text
	$(BIN)/python tutorials/mark.py $(HANDED_IN)/*.ipynb --csv $(HANDED_IN)/marks.csv

slides: $(VENV)/.installed-slides
	$(BIN)/python docs/slides/export.py slides

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(VENV)/.installed-bench
	@for file in benchmarks/*.py; do \
	  echo "== $$file"; $(BIN)/python $$file || exit 1; done

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-nightly $(OUT) site build dist .mypy_cache .pytest_cache .ruff_cache
