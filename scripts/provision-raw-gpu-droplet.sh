#!/usr/bin/env bash
# Turns a raw GPU droplet into a server of one exact build: driver, runtime, weights, verify, serve, ready.
#
# Runs on the droplet as root. It is idempotent and resumable: run it again after a failure, a reboot or on a snapshot of a droplet
# that it has provisioned, and it does what is missing. Each phase is one JSON line in $STATE_DIR/phases.jsonl:
#   {"phase": "weights", "status": "start|ok|fail", "seconds": 12.3, "detail": "..."}
# It exits 0 only when the server answers a completion under the engine's own id.
#
#   ENGINE_ID MODEL_REPO MODEL_REVISION   the build, and the hub's repository at a 40-hex commit
#   MANIFEST                              a JSON file: files[{name,bytes,sha256}], serve.args[], adapter{path|repo,revision,sha256}|null
#   VLLM_IMAGE                            vllm/vllm-openai@sha256:...; empty: the venv in VLLM_VENV is used (a snapshot may carry one)
#   VLLM_PORT VLLM_API_KEY_FILE STATE_DIR
# Optional: HF_ENDPOINT (a mirror), HF_TOKEN_FILE (for a gated model; removed once the weights are there), MAX_LIFETIME_S and EXPIRES_AT (the
# server runs no longer than so many seconds, and is not started again after that moment, whatever happens to whoever asked for it).
# For a run by hand: READY_TIMEOUT_S, VLLM_QUEUE (how many requests may wait before it answers 503), VLLM_VENV, UNIT_DIR.
set -Eeuo pipefail
umask 077
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

for name in ENGINE_ID MODEL_REPO MODEL_REVISION MANIFEST VLLM_PORT VLLM_API_KEY_FILE STATE_DIR; do
  [ -n "${!name:-}" ] || { echo "$name is not set" >&2; exit 2; }
done
VLLM_IMAGE=${VLLM_IMAGE:-}
VLLM_VENV=${VLLM_VENV:-/opt/draftctl/venv}
UNIT_DIR=${UNIT_DIR:-/etc/systemd/system}
READY_TIMEOUT_S=${READY_TIMEOUT_S:-900}
UNIT=draftctl-vllm.service
mkdir -p "$STATE_DIR"
exec 9>"$STATE_DIR/provision.lock"
flock 9 # a second run waits for the first, and then finds everything done

models=$STATE_DIR/models/$MODEL_REVISION
adapter=$STATE_DIR/adapter
phase=driver
detail=""
began=$(date +%s.%N)

report() { # status
  python3 - "$phase" "$1" "$began" "$detail" >>"$STATE_DIR/phases.jsonl" <<'PY'
import json, sys, time
phase, status, began, detail = sys.argv[1:]
seconds = 0.0 if status == "start" else round(time.time() - float(began), 3)
print(json.dumps({"phase": phase, "status": status, "seconds": seconds, "detail": detail[-400:]}), flush=True)
PY
}

begin() {
  phase=$1 detail="" began=$(date +%s.%N)
  echo "== $phase" >&2
  report start
}

fail() {
  detail=$1
  trap - ERR
  echo "$phase: $detail" >&2
  report fail
  exit 1
}
trap 'fail "line $LINENO: $BASH_COMMAND ended with exit code $?"' ERR

ask() { # a question to the manifest, in Python: `m` is the manifest
  python3 -c 'import json, sys; m = json.load(open(sys.argv[1])); exec(sys.argv[2])' "$MANIFEST" "$1"
}

# -- driver: the machine is up, its GPU answers, and the weights fit into it ---------------------------------------------------------
begin driver
[[ $MODEL_REVISION =~ ^[0-9a-f]{40}$ ]] || fail "MODEL_REVISION is $MODEL_REVISION, not a 40-hex commit: a branch name pins nothing"
[ -s "$VLLM_API_KEY_FILE" ] || fail "there is no API key in $VLLM_API_KEY_FILE"
[ "$(ask 'print(len(m["files"]))')" -gt 0 ] || fail "the manifest names no weight files, so nothing could be verified"
if command -v cloud-init >/dev/null; then
  timeout 300 cloud-init status --wait >&2 || echo "cloud-init: $(cloud-init status 2>&1 | head -1)" >&2
fi
gpu=""
for _ in $(seq 1 60); do
  gpu=$(nvidia-smi --query-gpu=name,memory.total --format=csv,noheader,nounits 2>/dev/null) && [ -n "$gpu" ] && break
  gpu=""
  sleep 2
done
[ -n "$gpu" ] || fail "nvidia-smi has not answered within two minutes: no GPU, or its driver is not loaded"
need_mib=$(ask 'print(sum(f["bytes"] for f in m["files"]) // 2**20)')
have_mib=$(awk -F', ' '{sum += $NF} END {print sum + 0}' <<<"$gpu") # over all of them: a build may be spread
gpu=$(head -1 <<<"$gpu")
[ "$have_mib" -gt "$need_mib" ] || fail "the weights take $need_mib MiB, the GPU ($gpu) has less"
detail="$gpu MiB, $have_mib MiB in all"
report ok

# -- runtime: the pinned image, or the venv ------------------------------------------------------------------------------------------
begin runtime
apt_get() { timeout 600 apt-get -o DPkg::Lock::Timeout=300 -qq -y "$@" >&2; }
if [ -n "$VLLM_IMAGE" ]; then
  [[ $VLLM_IMAGE =~ @sha256:[0-9a-f]{64}$ ]] || fail "VLLM_IMAGE is not pinned by digest: $VLLM_IMAGE"
  if ! command -v docker >/dev/null; then
    apt_get update
    apt_get install docker.io
  fi
  if ! docker info --format '{{json .Runtimes}}' 2>/dev/null | grep -q nvidia; then
    if ! command -v nvidia-ctk >/dev/null; then
      apt_get update
      apt_get install nvidia-container-toolkit || fail "docker has no NVIDIA runtime, and it cannot be installed; use the image gpu-h100x1-base"
    fi
    nvidia-ctk runtime configure --runtime=docker >&2
    systemctl restart docker
  fi
  if docker image inspect "$VLLM_IMAGE" >/dev/null 2>&1; then
    detail="docker, the image was there"
  else
    docker pull --quiet "$VLLM_IMAGE" >&2
    detail="docker, the image was pulled"
  fi
else
  [ -x "$VLLM_VENV/bin/vllm" ] || fail "VLLM_IMAGE is empty, and there is no $VLLM_VENV/bin/vllm either"
  detail="venv $VLLM_VENV"
fi
report ok

# -- weights: each file of the manifest, at the pinned commit ------------------------------------------------------------------------
begin weights
mkdir -p "$models" "$STATE_DIR/compile-cache"
fetch_files() { # folder repo revision: names and sizes on stdin
  local name bytes repo=$2 revision=$3 token=()
  [ -n "${HF_TOKEN_FILE:-}" ] && [ -s "$HF_TOKEN_FILE" ] && token=(--header "@$HF_TOKEN_FILE")
  while IFS=$'\t' read -r name bytes; do
    local path=$1/$name
    if [ -f "$path" ] && [ "$(stat -c %s "$path")" = "$bytes" ]; then continue; fi
    mkdir -p "$(dirname "$path")"
    if [ -f "$path.part" ] && [ "$(stat -c %s "$path.part")" -ge "$bytes" ]; then rm -f "$path.part"; fi
    # Tried again here and not by curl, which would begin a file anew.
    local try
    for try in 1 2 3 4 5 6 7 8; do
      if curl --fail --silent --show-error --location --speed-time 60 --speed-limit 1000 "${token[@]}" --continue-at - \
        --output "$path.part" "${HF_ENDPOINT:-https://huggingface.co}/$repo/resolve/$revision/$name" >&2 </dev/null; then break; fi
      [ "$try" -lt 8 ] || return 1
      sleep "$((try < 5 ? try : 15))"
    done
    mv -f "$path.part" "$path"
  done
}
names=$(ask 'for f in m["files"]:
    n = f["name"]
    assert n and not n.startswith("/") and ".." not in n.split("/") and not set(n) & set("\t\n?#%"), n
    print(n, f["bytes"], sep="\t")')
largest_first=$(sort -t $'\t' -k2,2nr <<<"$names")
pids=()
for part in 0 1 2 3; do # four at a time
  awk -v part="$part" 'NR % 4 == part' <<<"$largest_first" | fetch_files "$models" "$MODEL_REPO" "$MODEL_REVISION" &
  pids+=($!)
done
for pid in "${pids[@]}"; do
  wait "$pid" || fail "a file of $MODEL_REPO at $MODEL_REVISION could not be fetched: $(tail -n 1 "$STATE_DIR/provision.log" 2>/dev/null || true)"
done
adapter_repo=$(ask 'a = m.get("adapter") or {}; print(a.get("repo") or "")')
if [ -n "$adapter_repo" ]; then
  revision=$(ask 'print(m["adapter"].get("revision") or "")')
  [[ $revision =~ ^[0-9a-f]{40}$ ]] || fail "the adapter's revision is not a 40-hex commit"
  mkdir -p "$adapter"
  for name in adapter_config.json adapter_model.safetensors; do
    [ -s "$adapter/$name" ] || printf '%s\t-1\n' "$name" | fetch_files "$adapter" "$adapter_repo" "$revision"
  done
fi
[ -z "${HF_TOKEN_FILE:-}" ] || rm -f "$HF_TOKEN_FILE"
detail="$(wc -l <<<"$names") files, $need_mib MiB"
report ok

# -- verify: every file against the manifest, and nothing besides ---------------------------------------------------------------------
begin verify
sums=$(ask 'for f in m["files"]: print(f["sha256"], f["name"], sep="  ")')
extra=$(find "$models" -type f ! -name '*.part' -printf '%P\n' | { grep -vxF -f <(cut -f1 <<<"$names") || true; })
[ -z "$extra" ] || fail "files that the manifest does not name lie beside the weights: $(head -3 <<<"$extra" | tr '\n' ' ')"
rm -f "$models"/*.part
verified=yes
# shellcheck disable=SC2016  # $1 is the inner shell's
wrong=$(cd "$models" && xargs -d '\n' -P "$(nproc)" -n 1 sh -c 'printf "%s\n" "$1" | sha256sum --check --quiet - 2>&1' sh <<<"$sums") || verified=no
if [ -n "$wrong" ] || [ "$verified" != yes ]; then
  # What is wrong is thrown away, so that the next run fetches it anew.
  while IFS= read -r name; do rm -f "${models:?}/$name"; done < <(sed -n 's/: FAILED.*//p' <<<"$wrong")
  [ -n "$wrong" ] || fail "the files could not be hashed"
  fail "not the bytes that the manifest pins: $(head -3 <<<"$wrong" | tr '\n' ' ')"
fi
adapter_sha=$(ask 'a = m.get("adapter") or {}; print(a.get("sha256") or "")')
has_adapter=$(ask 'print(1 if m.get("adapter") else "")')
if [ -n "$has_adapter" ]; then
  [ -n "$adapter_sha" ] || fail "the manifest pins no sha256 for the adapter"
  printf '%s  %s\n' "$adapter_sha" "$adapter/adapter_model.safetensors" | sha256sum --check --quiet - >&2 || fail "the adapter is not the one that the manifest pins"
fi
detail="$(wc -l <<<"$names") files are what the manifest says"
report ok

# -- serve: vLLM under systemd, on loopback -------------------------------------------------------------------------------------------
begin serve
if [ -n "$VLLM_IMAGE" ]; then
  served_models=/models served_adapter=/adapter cache=/cache
else
  served_models=$models served_adapter=$adapter cache=$STATE_DIR/compile-cache
fi
flags=(--host 127.0.0.1 --port "$VLLM_PORT" --enable-prefix-caching --enable-prompt-tokens-details --generation-config vllm
  --max-num-queued-reqs "${VLLM_QUEUE:-512}"
  --structured-outputs-config '{"backend":"xgrammar","disable_any_whitespace":true}')
if [ -n "$has_adapter" ]; then
  rank=$(python3 -c 'import json, sys; r = json.load(open(sys.argv[1])).get("r", 16); print(next(n for n in (8, 16, 32, 64, 128, 256, 320, 512) if n >= r))' "$adapter/adapter_config.json")
  flags+=(--served-model-name "$ENGINE_ID-base" --enable-lora --max-loras 1 --max-lora-rank "$rank" --lora-modules "$ENGINE_ID=$served_adapter")
else
  flags+=(--served-model-name "$ENGINE_ID")
fi
# vLLM takes _ for - and any beginning of a flag that is no other's; so does this.
ours=$(ask 'for a in m["serve"]["args"]:
    assert "\n" not in a, a
    name = a.split("=")[0].replace("_", "-")
    held = ("--host", "--port", "--served-model-name", "--api-key", "--trust-remote-code", "--lora-modules", "--config", "--model", "--uds",
            "--middleware", "--enable-tokenizer-info-endpoint", "--allow-credentials", "--root-path", "--ssl-keyfile")
    exact = ("--max-model-len", "--config-format", "--model-impl", "--model-loader-extra-config")
    if name.startswith("--") and len(name) > 2 and name not in exact and any(h.startswith(name) or name.startswith(h) for h in held): print(a)')
[ -z "$ours" ] || fail "serve.args holds a flag that is not the manifest's to set: $(head -1 <<<"$ours")"
own_text=$(ask 'print("\n".join(m["serve"]["args"]))')
own=()
[ -z "$own_text" ] || mapfile -t own <<<"$own_text"
flags+=("${own[@]}")
{
  printf 'VLLM_API_KEY=%s\n' "$(cat "$VLLM_API_KEY_FILE")"
  printf 'HF_HUB_OFFLINE=1\nTRANSFORMERS_OFFLINE=1\nVLLM_NO_USAGE_STATS=1\nDO_NOT_TRACK=1\nVLLM_MAX_N_SEQUENCES=4\n'
  printf 'VLLM_CACHE_ROOT=%s\n' "$cache"
} >"$STATE_DIR/vllm.env.new"
mv -f "$STATE_DIR/vllm.env.new" "$STATE_DIR/vllm.env"
quoted() { # for ExecStart: every word in quotes, with %, $, \ and " taken literally
  local word
  for word in "$@"; do
    word=${word//\\/\\\\} word=${word//\"/\\\"} word=${word//%/%%} word=${word//\$/\$\$}
    printf ' "%s"' "$word"
  done
}
if [ -n "$VLLM_IMAGE" ]; then
  mounts=(--volume "$models:/models:ro" --volume "$STATE_DIR/compile-cache:/cache")
  [ -n "$has_adapter" ] && mounts+=(--volume "$adapter:/adapter:ro")
  docker=$(command -v docker)
  start=$(quoted "$docker" run --rm --name draftctl-vllm --gpus all --network host --ipc host --env-file "$STATE_DIR/vllm.env" "${mounts[@]}" \
    --entrypoint vllm "$VLLM_IMAGE" serve "$served_models" "${flags[@]}")
  # Stopping the docker client alone would leave the container there, with the GPU and the port.
  before="ExecStartPre=-$docker rm --force draftctl-vllm"$'\n'"ExecStop=-$docker stop --time 20 draftctl-vllm"
  environment=""
else
  start=$(quoted "$VLLM_VENV/bin/vllm" serve "$served_models" "${flags[@]}")
  before=""
  environment="EnvironmentFile=$STATE_DIR/vllm.env"
fi
mkdir -p "$UNIT_DIR"
cat >"$STATE_DIR/unit.new" <<EOF
[Unit]
Description=vLLM serving $ENGINE_ID
After=network-online.target docker.service
StartLimitIntervalSec=900
StartLimitBurst=4

[Service]
ExecCondition=/bin/sh -c "test \$\$(date +%%s) -lt ${EXPIRES_AT:-99999999999}"
$environment
$before
ExecStart=${start# }
Restart=on-failure
RestartSec=5
TimeoutStopSec=30
RuntimeMaxSec=${MAX_LIFETIME_S:-infinity}

[Install]
WantedBy=multi-user.target
EOF
if cmp -s "$STATE_DIR/unit.new" "$UNIT_DIR/$UNIT" && systemctl is-active --quiet "$UNIT"; then
  detail="it runs already"
else
  install -m 600 "$STATE_DIR/unit.new" "$UNIT_DIR/$UNIT"
  systemctl daemon-reload
  systemctl enable "$UNIT" >&2
  systemctl reset-failed "$UNIT" 2>/dev/null || true
  systemctl restart "$UNIT"
  detail="started"
fi
report ok

# -- ready: the server lists the build, completes, and constrains ----------------------------------------------------------------------
begin ready
cat >"$STATE_DIR/warm_up.py" <<'PY'
"""Ask the server once: `up`, or `all`: the build is listed, a completion of one token, one constrained request. Prints what it found."""
import json, sys, urllib.error, urllib.request

engine, port, key_file, stage = sys.argv[1:]
key = open(key_file).read().strip()

def ask(path, body=None, timeout=120):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
    request = urllib.request.Request("http://127.0.0.1:%s%s" % (port, path), data, headers)
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.loads(answer.read() or b"null")

if stage == "up":
    try:
        ask("/health", timeout=5)
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    sys.exit(0)
version = str(ask("/version", timeout=10).get("version", ""))
numbers = [int("".join(c for c in part if c.isdigit()) or 0) for part in version.split("+")[0].split(".")[:2]]
if numbers < [0, 32]:
    sys.exit("vLLM is %s; versions before 0.32 have known holes" % version)
listed = [model["id"] for model in ask("/v1/models", timeout=30)["data"]]
if engine not in listed:
    sys.exit("the server lists %s, not %s" % (", ".join(listed), engine))
messages = [{"role": "user", "content": "Say yes."}]
answer = ask("/v1/chat/completions", {"model": engine, "messages": messages, "max_tokens": 1})
if answer["model"] != engine:
    sys.exit("the completion came from %s" % answer["model"])
body = {"model": engine, "messages": messages, "max_tokens": 16, "temperature": 0, "structured_outputs": {"choice": ["yes", "no"]}}
said = ask("/v1/chat/completions", body)["choices"][0]["message"]["content"]
if said not in ("yes", "no"):
    sys.exit("a constrained request was answered with %r" % said)
print("vLLM " + version)
PY
deadline=$(($(date +%s) + READY_TIMEOUT_S))
until why=$(python3 "$STATE_DIR/warm_up.py" "$ENGINE_ID" "$VLLM_PORT" "$VLLM_API_KEY_FILE" up 2>&1); do
  if systemctl is-failed --quiet "$UNIT"; then fail "the server keeps stopping; see its log"; fi
  [ "$(date +%s)" -lt "$deadline" ] || fail "the server has not answered within $READY_TIMEOUT_S s: $(tail -n 1 <<<"$why")"
  sleep 1
done
found=$(python3 "$STATE_DIR/warm_up.py" "$ENGINE_ID" "$VLLM_PORT" "$VLLM_API_KEY_FILE" all 2>&1) || fail "$(tail -n 1 <<<"$found")"
detail=$found
report ok
