# `make dataset` and `make test` need Python 3.11 or newer and make; they create .venv themselves. A Python for which
# every dependency has a wheel comes first; pyenv has commands that do not run.
PYTHON ?= $(or $(shell for name in python3.11 python3.12 python3.13; do $$name -c "" 2>/dev/null && echo $$name && break; done),python3)
SOURCE ?= sample:24
OUT ?= specsia-out

# Settings of `make validate`. An empty STEPS means the preset's own number.
VALIDATE ?= specsia-validate
CHARACTERS ?= ../shared/characters/everything.jsonl
SAMPLES ?= 60
SIZE ?= 512
PRESET ?= tiny
STEPS ?=
SEEDS ?= 0 1 2
REPEATS ?= 1
BACKENDS ?= relief fusion
# Settings of `make clips`: a sample and a real character in motion, repaired by the `pretrained` model.
CLIPS ?= specsia-clips-shown
CLIP_SIZE ?= 256
CLIP_STEPS ?= 60
CLIP_ID ?= kaykit_mage

# A configuration has the name of its backend, without the argument. For each configuration there is one run per seed,
# then one run per seed on all configurations together.
CONFIGS = $(foreach backend,$(BACKENDS),$(firstword $(subst :, ,$(backend))))
RUNS = $(foreach name,$(CONFIGS),$(SEEDS:%=$(name)-%)) $(if $(word 2,$(CONFIGS)),$(SEEDS:%=all-%))

# Settings of `make pretrained`, which trains the model in specsia_build/dravie/weights. Its samples have a seed of their
# own, so that the model has not seen those of `sample:N`, nor `relief` these.
PRETRAINED ?= specsia-pretrained
PRETRAINED_SAMPLES ?= 100
PRETRAINED_SEED ?= 2
PRETRAINED_STEPS ?= 12000
WEIGHTS = specsia_build/dravie/weights

BIN := .venv/bin
# Python compiles a module when it is first imported, which is faster than compiling every installed module.
unexport PYTHONDONTWRITEBYTECODE
PIP := $(BIN)/python -m pip --disable-pip-version-check install --no-compile --quiet
# The pip of Python 3.11 spends more time on choosing versions than the whole installation takes.
NEWER_PIP = pip==26.3 --hash=sha256:f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13
# Core dependencies are pinned by version and hash, extras by version only, since torch is a different file on each system.
HASHED := $(PIP) --require-hashes --requirement requirements.txt
# The dependencies of an extra, without installing the package again.
ASKED = $(BIN)/python -c 'import sys, tomllib; \
  print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]], sep="\n")'
OURS := $(PIP) --constraint constraints.txt --requirement /dev/stdin

.PHONY: dataset test lint compiled imported bench validate pretrained clips format hashes clean

dataset: .venv/core
	$(BIN)/specsia build "$(SOURCE)" --out "$(OUT)"
	$(BIN)/specsia verify "$(OUT)/dataset"

# Tests of one file share fixtures and so run in one process; the longest files start first, see `tests/conftest.py`.
test: .venv/core
	$(MAKE) -j2 lint compiled imported
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Compile the renderer once, while dependencies are installed and checked, instead of in each test process.
compiled: .venv/core
	folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/specsia build sample:1 --out "$$folder/build" --size 64 --views 2 --workers 1 --backend relief --backend fusion --json >/dev/null && \
	$(BIN)/specsia clips sample:1 --out "$$folder/clips" --size 64 --views 1 --workers 1 --clip wave --layout pairs \
	  --layout paintbucket --layout animeinbet --json >/dev/null

# The same for imported modules, and for translucent surfaces, which samples do not have.
imported: .venv/dev compiled
	$(BIN)/python -m pytest -q tests/rendering/fast/test_blend.py >/dev/null
	-$(BIN)/python -m pytest --collect-only -q >/dev/null

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/core
	$(BIN)/python -m benchmarks stages

# Each step resumes where it was stopped when it is run again with the same settings.
validate: .venv/train
	$(BIN)/python -m benchmarks.validation_source "$(VALIDATE)/source" --samples $(SAMPLES) --characters "$(CHARACTERS)"
	$(BIN)/specsia build "$(VALIDATE)/source/characters.jsonl" --out "$(VALIDATE)/build" --size $(SIZE) --max-failures 10% $(BACKENDS:%=--backend %)
	set -e; for run in $(RUNS); do \
	  echo "training $$run"; \
	  case $$run in all-*) on="$(CONFIGS:%=--backend %)";; *) on="--backend $${run%-*}";; esac; \
	  $(BIN)/specsia train "$(VALIDATE)/build/dataset" --out "$(VALIDATE)/runs/$$run" \
	    $$(test -f "$(VALIDATE)/runs/$$run/run.json" && echo --resume || true) \
	    $(if $(word 2,$(CONFIGS)),$$on) --preset $(PRESET) $(if $(STEPS),--steps $(STEPS)) --seed $${run##*-}; \
	done
	$(BIN)/specsia evaluate "$(VALIDATE)"/runs/* "$(VALIDATE)/build/dataset" --out "$(VALIDATE)/evaluation" \
	  --rows raw,line,look-up,sample-wise,no-drawing --repeats $(REPEATS)

# Resumes too. Afterwards update the digest and the figures in MODEL_CARD.md beside the weights.
pretrained: .venv/train
	test -f "$(CHARACTERS)"
	$(BIN)/python -m benchmarks.validation_source "$(PRETRAINED)/source" --samples $(PRETRAINED_SAMPLES) --seed $(PRETRAINED_SEED) \
	  --license CC0-1.0 --characters "$(CHARACTERS)"
	$(BIN)/specsia build "$(PRETRAINED)/source/characters.jsonl" --out "$(PRETRAINED)/build" --size 512 --max-failures 10% \
	  --backend relief --backend fusion
	OMP_NUM_THREADS=1 $(BIN)/specsia train "$(PRETRAINED)/build/dataset" --out "$(PRETRAINED)/run" \
	  $$(test -f "$(PRETRAINED)/run/run.json" && echo --resume || true) \
	  --backend relief --backend fusion --preset tiny --set batch=32 --steps $(PRETRAINED_STEPS) --seed 2
	rm -rf $(WEIGHTS)/checkpoints
	$(BIN)/python -m benchmarks.pretrained "$(PRETRAINED)/run" $(WEIGHTS)
	$(BIN)/specsia evaluate pretrained "$(PRETRAINED)/build/dataset" --out "$(PRETRAINED)/evaluation" --rows raw,line,look-up,no-drawing

clips: .venv/train
	$(BIN)/python -m benchmarks.clips_source "$(CLIPS)/source" --characters "$(CHARACTERS)" --id $(CLIP_ID)
	$(BIN)/specsia clips "$(CLIPS)/source/characters.jsonl" --out "$(CLIPS)/run" --layout frames --layout pairs --preview \
	  --clip walk --clip wave --clip Walking_A --clip '*Melee_Attack_Chop' --size $(CLIP_SIZE) $(BACKENDS:%=--backend %)
	$(BIN)/specsia evaluate pretrained "$(CLIPS)/run/dataset" --out "$(CLIPS)/evaluation" --adapt-steps $(CLIP_STEPS)
	$(BIN)/specsia enhance pretrained "$(CLIPS)/run/dataset" --out "$(CLIPS)/repaired" --video
	$(BIN)/specsia report "$(CLIPS)/run"

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit("specsia needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -c 'import sys; sys.version_info < (3, 14) or print("make: xatlas has no wheel for this Python:", \
	  "it takes a C++ compiler and Python headers, or PYTHON=python3.13", file=sys.stderr)'
	$(PYTHON) -m venv .venv
	echo "$(NEWER_PIP)" | $(PIP) --require-hashes --requirement /dev/stdin || echo "make: $(word 1,$(NEWER_PIP)) is not available, so installation takes longer" >&2
	touch $@

.venv/core: .venv/python pyproject.toml constraints.txt requirements.txt
	$(HASHED)
	$(PIP) --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/train: .venv/core
	$(ASKED) train | $(OURS)
	touch $@

.venv/dev: .venv/core
	$(ASKED) dev | $(OURS)
	touch $@

# After a change of dependencies or of constraints.txt: writes requirements.txt anew, for every system.
hashes: .venv/python
	$(PIP) uv
	echo "# Made by \`make hashes\` from constraints.txt: what is needed to make a dataset, by version and hash." > requirements.txt
	echo "setuptools>=77" | $(BIN)/uv pip compile pyproject.toml - --constraint constraints.txt --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --quiet >> requirements.txt

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
