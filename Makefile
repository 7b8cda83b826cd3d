# Plain verbs: setup demo test lint type bench ui docs. Each installs what it needs first, once.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check

# Every process of the tests gets one thread: there are as many processes as processors.
TEST_THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: setup demo test lint type bench ui docs clean

setup: $(VENV)/.installed

# torch first, from constraints.txt, so that nothing else chooses its version.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "somscope needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.x"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt torch
	$(PIP) install --quiet -c constraints.txt -e ".[dev]"
	touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) install --quiet -c constraints.txt -e ".[docs]"
	touch $@

demo: setup
	$(BIN)/somscope demo --overwrite

test: setup
	$(TEST_THREADS) $(BIN)/pytest -q -n auto --dist worksteal --durations 10 $(PYTEST_ARGS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: setup
	$(BIN)/mypy

# The other libraries get an environment of their own, .venv-bench.
bench: setup
	$(BIN)/python -m benchmarks.som.setup_peers
	$(BIN)/python -m benchmarks.som
	$(BIN)/python -m benchmarks.deep
	$(BIN)/python -m benchmarks.somrl
	$(BIN)/python -m benchmarks.codes
	$(BIN)/python -m benchmarks.measures
	$(BIN)/python -m benchmarks.targets
	$(BIN)/python -m benchmarks.audit
	$(BIN)/python -m benchmarks.translate
	$(BIN)/python -m benchmarks.explorer
	$(BIN)/python -m benchmarks.scale

# The page of `somscope look`, built into src/somscope/explorer/static, where it is committed: needs Node 20 or newer.
ui: setup
	cd explorer-ui && npm ci --no-audit --no-fund
	$(BIN)/python -m somscope.explorer.schema > explorer-ui/src/openapi.json
	cd explorer-ui && npm run types && npm run check && npm run build

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --site-dir site

clean:
	rm -rf site dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
