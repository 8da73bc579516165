# `make` or `make help` lists the targets. Everything runs in .venv, which the first target that needs it makes.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PACKAGES := prompt_video data_modules tests docs
EXP ?=
METHOD ?=
SWEEP ?=
TABLE ?=
CKPT ?=
ARGS ?=
SEEDS ?=
SIZE ?= small

EXPERIMENT = --config $(EXP) $(if $(METHOD),--method $(METHOD))

# Large buffers are then reused rather than given back to the system after each step: a third of the time on CPUs.
TRAIN_ENV := MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184 MALLOC_TOP_PAD_=268435456

# A worker for each core, which takes tests from another when it has none left. What a worker has compiled is kept for
# the processes that tests start, and for the next run: half of a start's time.
PYTEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest -q --numprocesses logical --dist worksteal --durations 25 --durations-min 1

.DEFAULT_GOAL := help
.PHONY: help setup coverage demo train evaluate features doctor dry-run rehearse dashboard sweep table bench tiny-clip format lint types imports test test-slow test-all pictures docs check clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'
	@echo; echo '  METHOD=linear_probe tries another method, wherever there is an EXP'
	@echo '  ARGS="--trainer.max_epochs 1" passes options on to train, evaluate and features'

setup: $(READY) ## make .venv and install everything into it

$(READY): pyproject.toml constraints.txt
	@echo "making $(VENV) with $$($(PYTHON) --version) and installing into it; this takes a few minutes, once"
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11, 3.12 or 3.13 is needed; make PYTHON=python3.x names one" if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(READY)
	@echo "installed"

demo: $(READY) ## the whole method on the built-in worlds; report in runs/demo (SEEDS=3 runs three seeds, SIZE=full longer runs)
	@$(TRAIN_ENV) $(BIN)/prompt-video demo --seeds $(or $(SEEDS),1) --size $(SIZE) $(ARGS)

train: $(READY) ## train and test an experiment: make train EXP=demo_closed
	@test -n "$(EXP)" || { echo "name an experiment: make train EXP=demo_closed; there are"; $(BIN)/prompt-video list experiments; exit 2; }
	@$(TRAIN_ENV) $(BIN)/prompt-video fit $(EXPERIMENT) $(ARGS)

evaluate: $(READY) ## test a checkpoint with the settings of its run, or with EXP's: make evaluate CKPT=runs/.../best.ckpt
	@test -n "$(CKPT)" || { echo "name a checkpoint: make evaluate CKPT=path/to/best.ckpt"; exit 2; }
	@$(BIN)/prompt-video test $(if $(EXP),$(EXPERIMENT)) --ckpt $(CKPT) $(ARGS)

features: $(READY) ## compute the frame features of an experiment's videos: make features EXP=demo_closed
	@test -n "$(EXP)" || { echo "name an experiment: make features EXP=demo_closed"; exit 2; }
	@$(BIN)/prompt-video features $(EXPERIMENT) $(ARGS)

doctor: $(READY) ## check all that an experiment will use, before it runs: make doctor EXP=hmdb51_closed
	@test -n "$(EXP)" || { echo "name an experiment: make doctor EXP=hmdb51_closed"; exit 2; }
	@$(BIN)/prompt-video doctor $(EXPERIMENT) $(ARGS)

dry-run: $(READY) ## run an experiment on a made-up miniature of its data: make dry-run EXP=k400_fewshot
	@test -n "$(EXP)" || { echo "name an experiment: make dry-run EXP=k400_fewshot"; exit 2; }
	@$(BIN)/prompt-video dry-run $(EXPERIMENT) $(ARGS)

rehearse:
	@echo "'make rehearse' is 'make dry-run' now: make dry-run EXP=$(or $(EXP),k400_fewshot)"; exit 2

dashboard: $(READY) ## lay out an experiment's wandb workspace, without an account as a file: make dashboard EXP=demo_closed
	@test -n "$(EXP)" || { echo "name an experiment: make dashboard EXP=demo_closed"; exit 2; }
	@$(BIN)/prompt-video dashboard $(EXPERIMENT) $(ARGS)

sweep: $(READY) ## run an ablation on this machine: make sweep EXP=demo_closed SWEEP=prompt_length
	@test -n "$(EXP)" -a -n "$(SWEEP)" || { echo "name both: make sweep EXP=demo_closed SWEEP=prompt_length; there are"; $(BIN)/prompt-video list sweeps; exit 2; }
	@$(TRAIN_ENV) $(BIN)/prompt-video sweep $(SWEEP) $(EXPERIMENT) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

table: $(READY) ## run all of a table of the paper, and write it: make table TABLE=hmdb51_closed_ablation
	@test -n "$(TABLE)" || { echo "name a table: make table TABLE=hmdb51_closed_ablation; there are"; $(BIN)/prompt-video list tables; exit 2; }
	@$(TRAIN_ENV) $(BIN)/prompt-video table $(TABLE) $(if $(SEEDS),--seeds $(SEEDS)) $(ARGS)

bench: $(READY) ## measure every part against the plain way; ratios in runs/bench (ARGS=--quick: two minutes)
	@$(TRAIN_ENV) $(BIN)/prompt-video bench $(ARGS)

tiny-clip: $(READY) ## pre-train the built-in tiny CLIP again (about an hour on two cores)
	@$(TRAIN_ENV) $(BIN)/python -m prompt_video.backbones.tiny.pretrain prompt_video/backbones/tiny/weights $(ARGS)

format: $(READY) ## rewrite the code in the project's format
	@$(BIN)/ruff format $(PACKAGES)
	@$(BIN)/ruff check --fix --quiet $(PACKAGES) || true

lint: $(READY) ## check format and lint rules
	@$(BIN)/ruff format --check $(PACKAGES)
	@$(BIN)/ruff check $(PACKAGES)

types: $(READY) ## check types
	@$(BIN)/mypy

imports: $(READY) ## check who may import whom
	@$(BIN)/lint-imports

test: $(READY) ## the fast tests, and which were the slowest; ARGS="-n 0" runs them in one process
	@$(PYTEST) $(ARGS)

test-slow: $(READY) ## the slow tests: whole runs, as a user has them, without the type checks of each call
	@$(PYTEST) -m slow --jaxtyping-packages= $(ARGS)

test-all: $(READY) ## all tests, the slow ones too
	@$(PYTEST) -m "" $(ARGS)

coverage: $(READY) ## the share of lines that the fast tests run
	@$(PYTEST) --cov prompt_video --cov data_modules $(ARGS)

pictures: $(READY) ## draw the README's picture again: docs/pictures
	@$(BIN)/python docs/pictures/draw.py

docs: $(READY) ## the documentation as pages, in site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "site/index.html"

check: lint types imports test ## everything that must hold: format, lint, types, import contracts, tests

clean: ## remove runs, rendered data, features and caches; keeps .venv
	rm -rf runs data features site .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
