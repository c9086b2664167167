#!/usr/bin/env bash
# Drafts the sample inbox through the shipped chains on the tiny model, behind a real vLLM, and shows one chain whole.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
draftctl=${1:?the draftctl to run}
build=do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1
port=${PORT:-8913}
echo "Starting vLLM with a tiny model that bears the name $build: it shows the machinery, not the writing." >&2
pid=$(bash "$here/start.sh" "$build" "$port")
trap 'kill "$pid"' EXIT
GPU_INFERENCE_URL=http://127.0.0.1:$port GPU_INFERENCE_API_KEY=${API_KEY:-sk-test} "$draftctl" demo --engine "$build"
