#!/usr/bin/env bash
# Makes the virtual environment: finds a Python >= 3.11, installs what requirements-dev.lock pins by hash, and draftctl itself.
set -euo pipefail
venv=${1:?usage: setup.sh FOLDER}
cd "$(dirname "$0")/.."

find_python() {
  local name
  for name in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
    if [ -n "$name" ] && command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$name"
      return 0
    fi
  done
  echo "draftctl needs Python 3.11 or newer, and none was found. Install it (Debian: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3 ..." >&2
  return 1
}

python=$(find_python)
command -v git >/dev/null || { echo "draftctl needs git (Debian: apt install git)." >&2; exit 1; }
echo "Setting up in $venv with $("$python" --version); about 60 MB are installed, once." >&2
rm -f "$venv/ready"
"$python" -m venv --clear "$venv" || { echo "The venv module is missing (Debian: apt install python3-venv)." >&2; exit 1; }
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock 2> >(grep -v '^WARNING: Location' >&2)
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
touch "$venv/ready"
