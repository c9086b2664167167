# Everything here works as the only command on a fresh machine: it makes .venv first when that is missing.
.PHONY: demo demo-cot test test-slow test-real test-trainers real-server lint fmt bench soak docs lock setup
VENV := .venv
RUN := $(VENV)/bin/
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 3 ? 3 : n)))  # many tests wait: three are quicker on two cores

demo: $(VENV)/ready
	@$(RUN)draftctl demo

# The three below use a real vLLM on the CPU: 2.5 GB are installed once, outside the tree (tests/real_server/README.md).
demo-cot: $(VENV)/ready
	@bash tests/real_server/demo.sh $(RUN)draftctl

real-server:
	@bash tests/real_server/serve.sh

test-real: $(VENV)/ready
	@bash tests/real_server/setup.sh
	$(RUN)python -m pytest -q -m real -rA --no-header tests/real_server

# The trainers that people use, on real exports: 1.6 GB are installed once, outside the tree.
test-trainers: $(VENV)/ready
	@bash tests/trainers/setup.sh
	$(RUN)python -m pytest -q -m trainers -rA --no-header tests/trainers

test: $(VENV)/ready
	$(RUN)python -m pytest -q -n $(WORKERS) -m "not slow and not soak and not real and not trainers"

test-slow: $(VENV)/ready
	$(RUN)python -m pytest -q -n 3 --dist worksteal -m "slow and not soak" -rA --no-header

soak: $(VENV)/ready
	$(RUN)python -m pytest -q -m soak -s

lint: $(VENV)/ready
	$(RUN)ruff check .
	$(RUN)ruff format --check .
	$(RUN)mypy
	$(RUN)shellcheck scripts/*.sh tests/real_server/*.sh tests/trainers/*.sh tests/sandbox/nvidia-smi tests/sandbox/cloud-init .ci/run
	$(RUN)draftctl workflow lint

fmt: $(VENV)/ready
	$(RUN)ruff format .
	$(RUN)ruff check --fix .

bench: $(VENV)/ready
	$(RUN)python -m benchmarks.bench_batch
	$(RUN)python -m benchmarks.bench_chains
	$(RUN)python -m benchmarks.bench_readers
	$(RUN)python -m benchmarks.bench_startup
	$(RUN)python -m benchmarks.bench_export
	$(RUN)python -m benchmarks.bench_few_shot
	$(RUN)python -m benchmarks.bench_review
	$(RUN)python -m benchmarks.bench_lint

docs: $(VENV)/ready
	$(RUN)python scripts/make_docs.py

setup: $(VENV)/ready

# Locks the development environment for every supported Python, by hash and without an index's address.
lock:
	uv pip compile --universal --generate-hashes --no-emit-index-url --no-header --extra dev --python-version 3.11 pyproject.toml -o requirements-dev.lock

$(VENV)/ready: scripts/setup.sh requirements-dev.lock pyproject.toml
	@bash scripts/setup.sh $(VENV)
