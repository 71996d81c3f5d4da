# Each target does all its own set-up; nothing is done twice. The environment is .venv in this folder. PYTHON=... names
# the interpreter it is made with, python3 if not given; `make clean` first where there is one of another.
BIN := .venv/bin

.PHONY: demo test test-pythons docs simulate fuzz lint lock bench clean

demo: .venv/.ready
	$(BIN)/wanbatch demo

# Many tests wait for a process or a clock: two workers a core. Each compiles all tests where no bytecode is kept,
# as in some containers: that is three seconds a worker. CASES=all plays every case of the tests that have many alike.
WORKERS ?= $(shell echo $$((2 * $$(getconf _NPROCESSORS_ONLN))))
test: .venv/.ready-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q \
		$(if $(filter all,$(CASES)),--all-cases)

# The wheel in fresh environments: every supported Python of this machine, with the newest and the lowest packages;
# CASES=short for fewer.
test-pythons: .venv/.ready-dev
	sh .ci/pythons $(CASES)

# The pages under docs/, as a site that opens by double click: site/index.html. Nothing is fetched while it is built.
docs: .venv/.ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo "the pages: site/index.html"

lock:
	sh .ci/lock

# Seeds that were never run: the first is random and told; FIRST=N names one.
SEEDS ?= 1000
FIRST ?=
simulate: .venv/.ready-dev
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) $(if $(FIRST),--first $(FIRST))

# The properties of the suite with examples that were never tried: the seed is random and shown; SEED=N names one.
SEED ?= $(shell od -An -N4 -tu4 /dev/urandom | tr -d ' ')
fuzz: .venv/.ready-dev
	$(BIN)/python -m pytest -n $(WORKERS) -q -m hypothesis --all-cases --hypothesis-profile fuzz --hypothesis-seed $(SEED)

lint: .venv/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/vulture
	$(BIN)/deptry wanbatch

bench: .venv/.ready-dev
	$(BIN)/python benchmarks/run_all.py

.venv/.ready: pyproject.toml requirements.lock .ci/venv
	PYTHON="$(PYTHON)" sh .ci/venv requirements.lock
	@touch $@

.venv/.ready-dev: pyproject.toml requirements-dev.lock .ci/venv
	PYTHON="$(PYTHON)" sh .ci/venv requirements-dev.lock
	@touch .venv/.ready $@

.venv/.ready-docs: pyproject.toml requirements-docs.lock .ci/venv
	PYTHON="$(PYTHON)" sh .ci/venv requirements-docs.lock
	@touch .venv/.ready .venv/.ready-dev $@

clean:
	rm -rf .venv site
