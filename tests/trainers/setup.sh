#!/usr/bin/env bash
# Installs the trainers that people use (TRL, LLaMA-Factory, Axolotl) for the CPU, once, outside the tree; prints where (VENV).
#   DRAFTCTL_CACHE        where it goes (default: ~/.cache/draftctl)
#   DRAFTCTL_TORCH_INDEX  the package index that has torch's build for the CPU, where pip does not find torch==2.13.0+cpu by itself
# --no-deps, because LLaMA-Factory and Axolotl ask for builds for CUDA that reading a data set does not need. For Python 3.11.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${DRAFTCTL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/draftctl}
mkdir -p "$cache"
exec 9>"$cache/trainers.lock"
flock 9 || exit 1

venv=$cache/trainers-$(cat "$here/requirements-trainers.txt" "$here/setup.sh" | sha256sum | cut -c1-12)
unset PYTHONDONTWRITEBYTECODE PYTHONPATH || true

find_python() {
  local name
  for name in "${TRAINERS_PYTHON:-}" python3.11 python3; do
    if [ -n "$name" ] && "$name" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
      printf '%s\n' "$name"
      return 0
    fi
  done
  echo "The trainers' list is for Python 3.11; name one: TRAINERS_PYTHON=/path/to/python3.11 make test-trainers" >&2
  return 1
}

if [ ! -e "$venv/ready" ]; then
  python=$(find_python)
  echo "Installing the trainers for the CPU into $venv: about 1.6 GB, one to three minutes, once." >&2
  rm -rf "$venv"
  "$python" -m venv "$venv"
  index=()
  [ -n "${DRAFTCTL_TORCH_INDEX:-}" ] && index=(--extra-index-url "$DRAFTCTL_TORCH_INDEX")
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps "${index[@]}" -r "$here/requirements-trainers.txt" \
    2> >(grep -v '^WARNING: Location' >&2) || {
    echo "If torch==2.13.0+cpu was not found: set DRAFTCTL_TORCH_INDEX to the index of PyTorch's builds for the CPU." >&2
    exit 1
  }
  touch "$venv/ready"
fi
echo "VENV=$venv"
