#!/usr/bin/env bash
# start.sh NAME [PORT] [vllm serve flags...]: a real vLLM on loopback that serves the tiny model as NAME; waits until it answers and
# prints its process id. Log: $LOG (default: vllm-PORT.log in the cache). The key is $API_KEY (default: sk-test).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${DRAFTCTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/draftctl}
name=${1:?the engine id to serve}
port=${2:-8911}
shift
[ $# -gt 0 ] && shift
settings=$(bash "$here/setup.sh")
eval "$settings"
log=${LOG:-$cache/vllm-$port.log}
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 VLLM_CPU_KVCACHE_SPACE=${VLLM_CPU_KVCACHE_SPACE:-1}
unset PYTHONDONTWRITEBYTECODE PYTHONPATH || true
# Without disable_any_whitespace a constrained model may write blanks up to its last token.
setsid nohup "$VENV/bin/vllm" serve "$MODEL" --served-model-name "$name" --host 127.0.0.1 --port "$port" \
  --api-key "${API_KEY:-sk-test}" --dtype float32 --enforce-eager --max-model-len 2048 --max-num-seqs 32 \
  --block-size 32 --enable-prompt-tokens-details --generation-config vllm \
  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}' "$@" >"$log" 2>&1 9>&- &
pid=$!
for _ in $(seq 1 900); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && "$VENV/bin/python" - "$port" <<'PY'
import sys
import urllib.request

try:
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=2)
except OSError:
    sys.exit(1)
PY
  then
    echo "$pid"
    exit 0
  fi
  kill -0 "$pid" 2>/dev/null || { tail -20 "$log" >&2; exit 1; }
  sleep 0.2
done
echo "No answer after three minutes; see $log" >&2
kill "$pid"
exit 1
