# make demo: everything from scratch, on CPUs.   make test: the tests.   make lint: formatting, types, imports.   make docs: the site.
PYTHON ?= python3
CORES ?= 2
BIN := .venv/bin
# Small tensors: more threads cost more than they gain. Snakemake sets this for each of its own jobs.
export OMP_NUM_THREADS ?= $(CORES)
# Snakemake needs a cache folder: one here if the home can't be written.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)
ifneq ($(shell mkdir -p '$(CACHE)' 2>/dev/null && test -w '$(CACHE)' && echo writable),writable)
export XDG_CACHE_HOME := $(CURDIR)/.cache
endif

.PHONY: install vbench-env lerobot-env simulation-env container clip-library pocket-corpus executed demo test test-slow \
	test-slurm test-vbench test-lerobot test-simulation ui-env test-ui rehearsal mutants lint docs clean

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	@echo "Installing into .venv: 2.5 GB, some minutes"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

# The official VBench package needs a separate environment: workflow/envs/vbench. Without it the report says so.
VBENCH := .venv-vbench
VBENCH_PINS := workflow/envs/vbench/requirements.txt

vbench-env: $(VBENCH)/installed

$(VBENCH)/installed: $(VBENCH_PINS)
	mkdir -p $(VBENCH) && touch $(VBENCH)/unfinished
	test -x $(VBENCH)/bin/python || $(PYTHON) -m venv $(VBENCH)
	$(VBENCH)/bin/python -m pip install --quiet -c $(VBENCH_PINS) torch
	$(VBENCH)/bin/python -m pip install --quiet --no-deps -r $(VBENCH_PINS)
	$(VBENCH)/bin/python src/fca/vbench/official.py --check
	rm $(VBENCH)/unfinished
	touch $@

# The real lerobot package, for tests against it, in a separate environment: tests/lerobot.
LEROBOT := .venv-lerobot
LEROBOT_PINS := tests/lerobot/requirements.txt
LEROBOT_PINS_V21 := tests/lerobot/requirements-v21.txt

lerobot-env: $(LEROBOT)/installed

$(LEROBOT)/installed: $(LEROBOT_PINS) $(LEROBOT_PINS_V21)
	test -x $(LEROBOT)/bin/python || $(PYTHON) -m venv $(LEROBOT)
	$(LEROBOT)/bin/python -m pip install --quiet -c $(LEROBOT_PINS) torch
	$(LEROBOT)/bin/python -m pip install --quiet --no-deps -r $(LEROBOT_PINS)
	rm -rf $(LEROBOT)/v21
	$(LEROBOT)/bin/python -m pip install --quiet --no-deps --target $(LEROBOT)/v21 -r $(LEROBOT_PINS_V21)
	$(LEROBOT)/bin/python tests/lerobot/environment.py
	touch $@

# What `fca ui` needs, in a separate environment, because gradio needs older packages than constraints.txt names.
UI := .venv-ui

ui-env: $(UI)/installed

$(UI)/installed: pyproject.toml constraints.txt
	test -x $(UI)/bin/python || $(PYTHON) -m venv $(UI)
	grep -Ev '^(pillow|tomlkit)==' constraints.txt > $(UI)/constraints.txt
	$(UI)/bin/python -m pip install --quiet -c $(UI)/constraints.txt -e '.[ui]' playwright pytest pytest-timeout
	touch $@

# The image of `snakemake --sdm apptainer`, with the packages of constraints.txt: docs/cluster.md.
container: container.sif

container.sif: workflow/envs/fca.def constraints.txt
	apptainer build --force $@ workflow/envs/fca.def

# The simulators that render the clip library, in a separate environment without torch: simulation.
SIMULATION := .venv-simulation
SIMULATION_PINS := simulation/requirements.txt

simulation-env: $(SIMULATION)/installed

$(SIMULATION)/installed: $(SIMULATION_PINS)
	test -x $(SIMULATION)/bin/python || $(PYTHON) -m venv $(SIMULATION)
	$(SIMULATION)/bin/python -m pip install --quiet --no-deps -r $(SIMULATION_PINS)
	$(SIMULATION)/bin/python -m simulation.environment
	touch $@

# The training corpus of the pocket base, 6,600 simulated clips at about a second each; then `fca pocket` trains it.
pocket-corpus: simulation-env
	$(SIMULATION)/bin/python -m simulation.corpus data/pocket-corpus --workers $(CORES)

# config/pocket-clips: 485 clips. Clips that are there stay; another machine's differ in single levels.
RENDER := $(SIMULATION)/bin/python -m simulation.render --out config/pocket-clips

clip-library: simulation-env
	$(RENDER) hand 54 --first-seed 1000000
	$(RENDER) arm 46 --first-seed 1000000
	$(RENDER) kitchen 54 --first-seed 1000000
	$(RENDER) hand 108 --first-seed 500000
	$(RENDER) arm 115 --first-seed 500000
	$(RENDER) kitchen 108 --first-seed 500000

# Drives the simulators along the paths that `fca score` read from predictions, for the report: how many do it.
executed: simulation-env
	$(SIMULATION)/bin/python -m simulation.execute data/pocket
	$(BIN)/fca report -c config/pocket.yaml

demo: install
	$(MAKE) vbench-env || echo "Continuing without VBench's environment; the report says what is missing"
	$(BIN)/snakemake --cores $(CORES) all
	! test -x $(SIMULATION)/bin/python || $(MAKE) executed || echo "The simulators failed; the report says what is missing"
	@echo "The report is in reports/index.html"

# A file of tests in one process, of which there is one more than cores, as tests also wait; small tensors need one thread.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder

# The page of `fca ui` in a browser; two minutes.
test-ui: ui-env
	OMP_NUM_THREADS=1 $(UI)/bin/python -m pytest -q tests/ui

test-slow: install
	$(BIN)/python -m pytest -q -m slow --timeout 3600

# The official VBench functions, all six dimensions with small random networks; 3 minutes.
test-vbench: install vbench-env
	$(BIN)/python -m pytest -q -m vbench

# Datasets written and read by the real lerobot package; a minute.
test-lerobot: install lerobot-env
	$(BIN)/python -m pytest -q -m lerobot

# The simulated places: determinism, experts, replay; MUJOCO_GL chooses EGL or OSMesa.
test-simulation: simulation-env
	$(SIMULATION)/bin/python -m pytest -q -m simulation --confcutdir tests/simulation tests/simulation

# On a real Slurm with one node, as root; without Slurm it says what to install.
test-slurm: install
	scripts/one-node-slurm.sh start
	$(BIN)/python -m pytest -q -m slurm --timeout 3600; status=$$?; scripts/one-node-slurm.sh stop; exit $$status

# Every step of config/paper.yaml at full size with random weights (39 GB on the disk): hours. docs/rehearsal.md has the
# last table.
rehearsal: install
	$(BIN)/fca rehearse -c config/paper.yaml --random-weights weights/random --kill --clips 1 --models-on ssv2 \
		--variants fca base no_ftc lora controlnet_zeros

# Faults in copies of the code, which `make test` must notice (45 minutes), then SAMPLE seconds of mechanical ones.
SAMPLE ?= 600

mutants: install
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[mutants]'
	$(BIN)/python -m tests.mutants
	$(BIN)/python -m tests.mutants --sample $(SAMPLE)

lint: install
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	! command -v actionlint || actionlint

# The documentation's site, in build/site; to read it: $(BIN)/python -m http.server -d build/site
docs: export NO_MKDOCS_2_WARNING = 1
docs: install
	$(BIN)/mkdocs build --strict

# Removes the results of the pocket scale; never data of other scales, the environment, or a committed README.
clean:
	rm -rf data/pocket runs/pocket reports/index.html reports/assets reports/plots reports/metrics reports/metrics.json
