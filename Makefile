# `make run` and `make test` set everything up on a fresh machine; nothing else is needed but Python and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
PAGE   := src/twikit_pool/service/page/index.html

SEEDS  ?= 100
# Processes that run the tests side by side; most of a test's time is waiting.
WORKERS ?= 2

.PHONY: run serve page browser test check format lint types imports setup bench simulate coverage mutants clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(STAMP)

run: $(STAMP)  ## the main job: a mixed workload over simulated accounts
	@mkdir -p out
	@rm -f out/results.jsonl out/results.jsonl.*
	$(BIN)/twikit-pool run examples/mixed.jsonl --sandbox 25 --results out/results.jsonl

serve: $(STAMP) $(PAGE)  ## the service over simulated accounts; it prints its address and a token
	$(BIN)/twikit-pool serve --sandbox 25

page:  ## the dashboard, from web/; needs Node 20.19 or later
	@command -v npm >/dev/null || { echo "npm is not there: install Node 20.19 or later (the wheel has the page built)"; exit 1; }
	cd web && npm ci --silent --fetch-retries 1 --fetch-timeout 30000 && npm run --silent build

$(PAGE): $(shell find web -type f -not -path 'web/node_modules/*')
	@$(MAKE) --no-print-directory page || echo "the dashboard is not built; all else works without it"

browser:  ## what tests/browser drives; Debian's package, where it can be installed
	@test -x /usr/bin/chromium || scripts/install-chromium.sh || echo "Chromium is not there; tests/browser is skipped"

test: $(STAMP) $(PAGE) browser
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/pyright

imports: $(STAMP)
	$(BIN)/lint-imports

check: lint types imports test

bench: $(STAMP)
	$(BIN)/python -m benchmarks

simulate: $(STAMP)  ## the pool's promises over many seeds: make simulate SEEDS=2000
	$(BIN)/python -m tests.simulation --seeds $(SEEDS)

coverage: $(STAMP)  ## which branches of the pool no test takes
	$(BIN)/python -m coverage run --branch --source=src/twikit_pool/pool -m pytest -q tests/unit/pool tests/simulation
	$(BIN)/python -m coverage report --show-missing --skip-covered

mutants: $(STAMP)  ## how many faults put into the pool on purpose the tests find
	$(BIN)/python scripts/mutants.py

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis out web/node_modules src/twikit_pool/service/page
