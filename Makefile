# Two targets work on a fresh machine and make their own environment: `make demo`, `make test`.
# The others use it: `make lint`, `make golden`, `make samples`, `make docs`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python -m
DEMO := .demo
QUESTION ?= when is the screen yellow?

.PHONY: demo test lint types unit golden samples docs clean

# One environment for everything: it takes 6 to 7 GB.
$(VENV)/.installed: pyproject.toml
	@if command -v uv >/dev/null 2>&1; then \
	  test -x $(BIN)/python || uv venv --python 3.11 $(VENV); \
	  uv pip install --python $(BIN)/python -e '.[dev]'; \
	else \
	  test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'; \
	fi
	@# pip compiles what it installs, but not what it only links to.
	@$(BIN)/python -m compileall -q streammem cli
	@touch $@

demo: $(VENV)/.installed
	@rm -rf $(DEMO)
	$(BIN)/streammem ingest samples/scenes.mp4 --library $(DEMO)
	@$(BIN)/streammem ask "$(QUESTION)" --library $(DEMO) --json \
	  | $(BIN)/python samples/check_answer.py samples/scenes.truth.json "$(QUESTION)"

test: lint types unit

lint: $(VENV)/.installed
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.installed
	$(RUN) mypy

unit: $(VENV)/.installed
	$(RUN) pytest -q -n auto

golden: $(VENV)/.installed
	$(BIN)/python tests/golden/regenerate.py

samples: $(VENV)/.installed
	$(BIN)/python samples/render.py

docs: $(VENV)/.installed
	$(RUN) streammem_cli.reference > docs/cli.md

clean:
	rm -rf $(VENV) $(DEMO) .pytest_cache .mypy_cache .ruff_cache
