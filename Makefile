# `make demo` and `make test` do all the set-up they need, in .venv beside this file.
PYTHON ?= python3
VENV := .venv
CONSTRAINTS := constraints.txt
FUTURE := .venv-future
BIN := $(VENV)/bin
# Packages are compiled when they are first imported; where nothing of that is kept, every process does it again.
unexport PYTHONDONTWRITEBYTECODE

# Pythons that `make newest` tries.
PYTHONS ?= python3.11 python3.13

# What `make gpu` needs besides torch, where `make wheels` has gathered it; else the environment of the other targets.
SITE := build/site
GATHERED := $(wildcard build/wheels/*.whl)
ON_GPU = $(if $(GATHERED),PYTHONPATH=$(SITE) $(PYTHON),$(BIN)/python) benchmarks/paper_on_gpu.py

.PHONY: demo test future browser coverage check docs bench gpu wheels soak newest clean

demo: $(VENV)/.package
	$(BIN)/mcinterp demo --jobs 2

test: $(VENV)/.development
	-@$(BIN)/python tests/browsers.py
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The same tests on the newest TransformerLens, which has no HookedEncoder, in an environment of its own.
future: $(FUTURE)/constraints.txt
	$(MAKE) test VENV=$(FUTURE) CONSTRAINTS=$<

# Tests of pages want one: the system's, playwright's own, or the package manager's, in the order in which they are had.
browser: $(VENV)/.development
	$(BIN)/python tests/browsers.py

# The same tests; it prints which branches of the package none of them takes, and fails where those are more than a tenth.
coverage: $(VENV)/.development
	PYTEST_ADDOPTS="--cov --cov-report=term" $(MAKE) test
	$(BIN)/coverage json -q -o - | $(BIN)/python benchmarks/branches.py

# The tests with the newest of everything that pyproject.toml allows, without constraints.txt, in an environment for each
# Python. PyPI's torch is gigabytes; a Python that is not here is an error, after the others with `make -k newest`.
newest: $(PYTHONS:%=newest-%)

newest-%:
	@command -v $* >/dev/null || { echo "make newest: no $* here; PYTHONS=… names others" >&2; exit 1; }
	$* -m venv --clear build/$@
	build/$@/bin/pip install --quiet --no-compile --upgrade pip
	build/$@/bin/pip install --quiet --no-compile --editable '.[test]'
	OMP_NUM_THREADS=1 build/$@/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

soak: $(VENV)/.development
	OMP_NUM_THREADS=1 MCINTERP_KILLS=50 $(BIN)/python -m pytest tests/runs/test_soak.py

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The site of docs/, with the notebooks run and their answers shown: build/docs/index.html, which works offline. Pictures of the
# gallery are drawn anew where reports/ has a study's results and there is a Chromium.
docs: $(VENV)/.docs
	$(BIN)/python docs/gallery/draw.py
	OMP_NUM_THREADS=1 $(BIN)/python -m sphinx -b html -W --keep-going -n docs build/docs

bench: $(VENV)/.development
	$(BIN)/python benchmarks/training_step.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/analysis.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/memory.py

# The whole paper on one large GPU in MINUTES; SCALE=toy does all of it on a CPU, small. What comes of it is packed into
# PACKED as it is done; `python benchmarks/paper_on_gpu.py unpack FOLDER` puts it under reports/paper.
SCALE := full
MINUTES := 14
PACKED := build/gpu/packed
gpu: $(if $(GATHERED),$(SITE)/.installed,$(VENV)/.package)
	$(ON_GPU) run --scale $(SCALE) --minutes $(MINUTES) --out $(PACKED) $(if $(STAGES),--stages $(STAGES))

# For a machine that has a torch with CUDA and no package index: what it lacks, in build/wheels, which is taken there with
# the repository. HAS is a file with what it has, as `pip freeze` says there, and FOR its Python.
wheels: $(VENV)/.package
	$(BIN)/python benchmarks/paper_on_gpu.py wheels $(if $(HAS),--has $(HAS)) $(if $(FOR),--python $(FOR))

$(SITE)/.installed: $(GATHERED)
	$(PYTHON) -m pip install --quiet --no-index --no-deps --no-compile --upgrade --target $(SITE) $(GATHERED)
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mcinterp needs Python 3.11 or newer; name one with make PYTHON=python3.12 …" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(FUTURE)/constraints.txt: constraints.txt
	@mkdir -p $(FUTURE)
	sed 's/^transformer_lens==.*/transformer_lens>=4/' $< > $@

$(VENV)/.package: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	$(BIN)/pip install --quiet --no-compile --constraint $(CONSTRAINTS) --editable .
	@touch $@

$(VENV)/.development: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	$(BIN)/pip install --quiet --no-compile --constraint $(CONSTRAINTS) --editable '.[test,check]'
	@touch $@ $(VENV)/.package

$(VENV)/.docs: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	$(BIN)/pip install --quiet --no-compile --constraint $(CONSTRAINTS) --editable '.[docs]'
	@touch $@ $(VENV)/.package

clean:
	rm -rf $(VENV) $(FUTURE) build docs/notebooks *.egg-info
