# Everything here works as the only command on a fresh machine: it makes .venv first when that is missing.
.PHONY: demo test test-slow lint fmt bench soak docs lock setup
VENV := .venv
RUN := $(VENV)/bin/

demo: $(VENV)/ready
	@$(RUN)draftctl demo

test: $(VENV)/ready
	$(RUN)python -m pytest -q -n auto -m "not slow and not soak"

test-slow: $(VENV)/ready
	$(RUN)python -m pytest -q -n auto -m slow -rA --no-header

soak: $(VENV)/ready
	$(RUN)python -m pytest -q -m soak -s

lint: $(VENV)/ready
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)draftctl pastebin lint

fmt: $(VENV)/ready
	$(RUN)ruff format .
	$(RUN)ruff check --fix .

bench: $(VENV)/ready
	$(RUN)python benchmarks/bench_batch.py
	$(RUN)python benchmarks/bench_readers.py
	$(RUN)python benchmarks/bench_startup.py

docs: $(VENV)/ready
	$(RUN)python scripts/make_docs.py

setup: $(VENV)/ready

# Locks the development environment for every supported Python, by hash and without an index's address.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --extra dev --python-version 3.11 pyproject.toml -o requirements-dev.lock

$(VENV)/ready: scripts/setup.sh requirements-dev.lock pyproject.toml
	@bash scripts/setup.sh $(VENV)
