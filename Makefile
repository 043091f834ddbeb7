# make demo   find the faces in a photograph        make test   lint, types, import rules, all tests
# make bench  compare with TensorFlow.js and NumPy  make clean  remove what these made in this folder

PYTHON ?= python3
PROVISION := $(PYTHON) tools/provision.py
BIN := .venv/bin

.PHONY: help demo test lint bench clean
help:
	@sed -n 's/^# //p' Makefile

demo:
	@$(PROVISION) venv demo
	@$(BIN)/python examples/find_faces.py

test: lint
	@$(PROVISION) models
	@$(PROVISION) drivers
	@$(PROVISION) angle
	$(BIN)/python -m pytest -n 2 --dist loadfile
	@$(BIN)/python -m tests.conformance --totals || test $$? = 2

lint:
	@$(PROVISION) venv dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tools.generate --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench:
	@$(PROVISION) venv bench
	@$(PROVISION) models
	@$(PROVISION) peers
	@$(PROVISION) drivers
	@$(PROVISION) angle
	@missed=; for benchmark in models wasm_v8 wasm_first wasm_eager wasm_ops wasm_routines webgl_models eager functions leaks ops add loading import_time; do \
	    echo "== $$benchmark"; $(BIN)/python -m benchmarks.$$benchmark || missed="$$missed $$benchmark"; \
	done; test -z "$$missed" || { echo "not as it must be:$$missed" >&2; exit 1; }

clean:
	rm -rf .venv build dist benchmarks/tfjs/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
