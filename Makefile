# `make demo` and `make test` set up .venv by themselves; Python 3.11 or newer is all that they need.
PYTHON ?= python3
PIP_FLAGS ?= --quiet --disable-pip-version-check
BIN := .venv/bin

.PHONY: demo test check fuzz kill lint types clean

demo: .venv/core  ## fit on the embedded digits and print the verdict
	$(BIN)/narrows fit reduce digits --latent-dim 8 -o runs/digits --overwrite

test: .venv/dev  ## everything that must pass: style, types, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

kill: .venv/dev  ## 60 kills with -9 at random moments over ten kinds of run, each gone on with and compared (10 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python tests/kill.py

fuzz: .venv/dev  ## malformed files, tampered artefacts and drawn command lines, each in a process of its own
	OMP_NUM_THREADS=1 $(BIN)/python tests/fuzz.py

lint: .venv/dev  ## mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev  ## the figures of docs/benchmarks.md that take minutes (the others: bench/README.md; needs NARROWS_DATA)
	$(BIN)/python bench/quality.py linear
	$(BIN)/python bench/quality.py reconstruct
	for row in denoise embed features sparse anomaly one-class recommend; do $(BIN)/python bench/quality.py $$row || exit 1; done
	$(BIN)/python bench/speed.py
	$(BIN)/python bench/table.py

.venv/core: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e .
	touch $@

.venv/dev: .venv/core
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv runs
