#!/usr/bin/env bash
# Serves the tiny model as a shipped build until Ctrl-C, and says how to use it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-do-gpu-mistral-nemo-12b-uncensored_2026-06-29.1}
port=${PORT:-8911}
pid=$(bash "$here/start.sh" "$build" "$port")
trap 'kill "$pid" 2>/dev/null || true' EXIT
echo "A real vLLM serves the tiny model as $build (process $pid). In another terminal:"
echo "  export GPU_INFERENCE_URL=http://127.0.0.1:$port GPU_INFERENCE_API_KEY=${API_KEY:-sk-test}"
echo "  draftctl engine probe $build"
echo "  draftctl draft --batch -i examples/inbox.jsonl --engine $build"
echo "Ctrl-C stops it."
while kill -0 "$pid" 2>/dev/null; do sleep 1; done
