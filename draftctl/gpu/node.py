"""What is done on the droplet over SSH: the host key replaced, the provisioning script sent and started, its phases followed.

The script's contract (docs/gpu.md): it runs detached with `ENGINE_ID MODEL_REPO MODEL_REVISION MANIFEST VLLM_IMAGE VLLM_PORT VLLM_API_KEY_FILE
STATE_DIR`, writes JSON lines to `$STATE_DIR/phases.jsonl`, exits 0 only when the server is ready, and does no harm when run twice.
"""

import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from draftctl.gpu.keys import KeyPair
from draftctl.gpu.ssh import Ssh, shell_environment

PHASES = ("driver", "runtime", "weights", "verify", "serve", "ready")
STATUSES = ("start", "ok", "fail")
MAX_PHASES_BYTES = 256 * 1024

# Finds the server that this very session came through (its title names its configuration), the file of the host key that was injected,
# and has that key replaced by the one on stdin: written beside, renamed, and the server told to read its keys again.
_ROTATE = r"""
set -eu
umask 077
pid=$PPID
conf=""; keys=""
while [ "$pid" -gt 1 ]; do
  title=$(tr '\0' ' ' < "/proc/$pid/cmdline")
  case "$title" in *"[listener]"*|*"/sshd "*|*"/sshd") listener=$pid; break;; esac
  pid=$(awk '{print $4}' "/proc/$pid/stat" 2>/dev/null || echo 1)
done
: "${listener:=}"
[ -n "$listener" ] || { echo "no sshd found above this session" >&2; exit 3; }
set -- $title
while [ $# -gt 0 ]; do
  case "$1" in
    -f) conf=$2; shift;;
    -h) keys="$keys $2"; shift;;
    -o) case "$2" in HostKey=*|hostkey=*) keys="$keys ${2#*=}";; esac; shift;;
  esac
  shift
done
sshd=$(readlink "/proc/$listener/exe")
[ -n "$keys" ] || keys=$("$sshd" -T ${conf:+-f "$conf"} 2>/dev/null | awk 'tolower($1) == "hostkey" {print $2}')
for file in $keys; do
  if [ "$(ssh-keygen -y -f "$file" 2>/dev/null | awk '{print $2}')" = "$OLD_KEY" ]; then
    cat > "$file.new"
    ssh-keygen -y -f "$file.new" > "$file.pub.new"
    chmod 644 "$file.pub.new"
    mv -f "$file.new" "$file"
    mv -f "$file.pub.new" "$file.pub"
    kill -HUP "$listener"
    exit 0
  fi
done
echo "the injected host key is not among: $keys" >&2
exit 4
"""


_BOOT = "/proc/sys/kernel/random/boot_id"
_ALIVE = f'{{ [ -s pid ] && [ "$(cat boot 2>/dev/null)" = "$(cat {_BOOT})" ] && kill -0 "$(cat pid)" 2>/dev/null; }}'


def _mine(lease: str) -> str:
    return f'[ "$(cat lease 2>/dev/null)" = {shlex.quote(lease)} ]'


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One line of the script's report: which phase, how it stands, how long it took (seconds), and a detail."""

    phase: str
    status: str
    seconds: float | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How provisioning stands: the phases so far, lines that are no phase, whether it still runs, and the script's exit code."""

    phases: tuple[Phase, ...]
    strange: tuple[str, ...]
    running: bool
    exit_code: int | None

    @property
    def failed(self) -> str | None:
        """Return why provisioning has failed, or None."""
        bad = next((phase for phase in reversed(self.phases) if phase.status == "fail"), None)
        if self.exit_code:
            return f"{bad.phase}: {bad.detail}" if bad else f"the script ended with exit code {self.exit_code}"
        if self.exit_code == 0 and not any(p.phase == "ready" and p.status == "ok" for p in self.phases):
            return "the script ended with exit code 0 and has not reported the phase ready"
        return None

    @property
    def ready(self) -> bool:
        """Say whether the script is done and well."""
        return self.exit_code == 0 and self.failed is None

    @property
    def attested(self) -> str:
        """Return what is known of the weights: `weights` where the script has compared every file, else `name`."""
        return "weights" if any(p.phase == "verify" and p.status == "ok" for p in self.phases) else "name"


def rotate_host_key(ssh: Ssh, new: KeyPair) -> str | None:
    """Replace the host key that this connection was verified with; return why the host would not have it, or None."""
    old = ssh.pin.split()[1]
    ran = ssh.run(f"OLD_KEY={shlex.quote(old)} sh -c {shlex.quote(_ROTATE)}", stdin=new.private.encode())
    return None if ran.code == 0 else ran.err.strip()[-200:] or f"exit code {ran.code}"


def upload(ssh: Ssh, state_dir: str, files: Mapping[str, bytes], *, api_key: str) -> None:
    """Put the script, the manifest and the API key onto the host; folders for the files are made."""
    folders = sorted({state_dir, *(f"{state_dir}/{name}".rpartition("/")[0] for name in files)})
    ssh.check("umask 077 && mkdir -p " + " ".join(map(shlex.quote, folders)))
    for name, content in files.items():
        ssh.put(f"{state_dir}/{name}", content)
    ssh.put(f"{state_dir}/api.key", api_key.encode())


def start(ssh: Ssh, state_dir: str, script: str, environment: Iterable[tuple[str, str]], *, lease: str) -> None:
    """Start the script detached, so that it outlives this connection and this program; a second start while it runs does nothing.

    What an earlier lease has left there (a snapshot carries it) is no report of this one.
    """
    place, mine = shlex.quote(state_dir), shlex.quote(lease)
    inner = (
        f'cd {place} && rm -f exit && {{ [ "$(cat lease 2>/dev/null)" = {mine} ] || rm -f phases.jsonl; }} && echo {mine} > lease && '
        f"cat {_BOOT} > boot && echo $$ > pid && "
        f"{{ {shell_environment(list(environment))} bash {shlex.quote(script)} < /dev/null > provision.out 2> provision.log; "
        "echo $? > exit.new; mv -f exit.new exit; }"
    )
    running = f"cd {place} && {_mine(lease)} && {_ALIVE} && [ ! -e exit ]"
    ssh.check(f"{{ {{ {running}; }} || setsid nohup sh -c {shlex.quote(inner)}; }} < /dev/null > /dev/null 2>&1 &")


def progress(ssh: Ssh, state_dir: str, *, lease: str) -> Progress:
    """Return how the script of a lease stands; a reboot ends one that ran."""
    place = shlex.quote(state_dir)
    text = ssh.check(
        f"cd {place} 2>/dev/null && {_mine(lease)} || exit 0; cat exit 2>/dev/null || echo none; {_ALIVE} && echo alive || echo gone; "
        f"tail -c {MAX_PHASES_BYTES} phases.jsonl 2>/dev/null || true"
    )
    return read_progress(text)


def stop(ssh: Ssh, state_dir: str, *, lease: str) -> None:
    """End the script, if it is this lease's and runs."""
    ssh.run(f'cd {shlex.quote(state_dir)} 2>/dev/null && {_mine(lease)} && {_ALIVE} && kill -TERM -- "-$(cat pid)"')


def last_line(ssh: Ssh, state_dir: str) -> str:
    """Return the last line that the script printed."""
    return ssh.check(f"tail -n 1 {shlex.quote(state_dir)}/provision.out 2>/dev/null || true").strip()


def log(ssh: Ssh, state_dir: str, *, lines: int = 200) -> str:
    """Return the end of the script's log and of the server's."""
    place = shlex.quote(state_dir)
    return ssh.run(
        f"cd {place} 2>/dev/null && tail -n {lines} provision.log provision.out vllm.log 2>/dev/null; "
        f"journalctl -u draftctl-vllm -n {lines} --no-pager 2>/dev/null || true"
    ).out


def read_progress(text: str) -> Progress:
    """Read what `progress` asked for: the exit code, whether the process lives, the phases."""
    lines = text.splitlines()
    code = int(lines[0]) if lines and lines[0].strip().isdigit() else None
    running = len(lines) > 1 and lines[1] == "alive" and code is None
    phases, strange = [], []
    for line in lines[2:]:
        phase = read_phase(line)
        if phase is not None:
            phases.append(phase)
        elif line.strip():
            strange.append(line[:200])
    return Progress(phases=tuple(phases), strange=tuple(strange), running=running, exit_code=code)


def read_phase(line: str) -> Phase | None:
    """Read one line of the report; None for what is none."""
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("phase") not in PHASES or value.get("status") not in STATUSES:
        return None
    seconds = value.get("seconds")
    number = float(seconds) if isinstance(seconds, int | float) and not isinstance(seconds, bool) else None
    return Phase(
        phase=value["phase"], status=value["status"], seconds=number, detail=str(value.get("detail") or "")[:500]
    )
