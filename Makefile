# make demo: everything from nothing, on CPUs.   make test: the tests.   make lint: formatting and types.
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
# Small tensors: more threads cost more than they give. Snakemake sets this for each of its jobs itself.
export OMP_NUM_THREADS ?= $(CORES)

.PHONY: install demo test test-slow lint clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: install
	$(BIN)/snakemake --cores $(CORES) all
	@echo "The report is in reports/index.html"

test: install
	$(BIN)/python -m pytest -q

test-slow: install
	$(BIN)/python -m pytest -q -m slow

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow

# Removes what the pocket scale made; never data of other scales, nor the environment.
clean:
	rm -rf data/pocket runs/pocket reports/index.html reports/assets reports/metrics.json
