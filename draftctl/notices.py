"""Who hears that runs fail, stay away, or go well again: a command, a URL, else the line on stderr that cron mails.

What is known of the last runs lies in a small file beside the database, because the database may be what fails. A trouble is said when
it is new and then once in every `after`; nothing of a message is ever in a notice.
"""

import contextlib
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TIMEOUT_S = 10.0
GOOD = (0, 3)  # exit codes of a run that did its work
LEFT = 75  # of one that left it to another, which may hang: it says nothing either way


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What is known of the last runs (unix seconds): when one ended well, since when they fail, when that was said, and why it failed."""

    well_at: float | None = None
    failing_since: float | None = None
    told_at: float | None = None
    why: str = ""


def ended(runs: Runs, *, now: float, exit_code: int, why: str, after_s: float) -> tuple[Runs, str | None]:
    """Note how a run ended; return what is known then, and what must be said."""
    if exit_code == LEFT:
        return runs, None
    if exit_code in GOOD:
        since = runs.failing_since if runs.told_at is not None else None
        return Runs(well_at=now), None if since is None else f"draftctl runs again, after {_span(now - since)}."
    since = now if runs.failing_since is None else runs.failing_since
    why = why.partition("\n")[0]
    runs = replace(runs, failing_since=since, why=why)
    return _told(runs, now, after_s, f"draftctl: a run failed (exit code {exit_code}): {why}")


def away(runs: Runs, *, now: float, after_s: float) -> tuple[Runs, str | None]:
    """Look whether a run has ended well lately; return what is known then, and what must be said."""
    last = runs.well_at
    if last is not None and now - last <= after_s:
        return runs, None
    since = f"for {_span(now - last)}" if last is not None else "yet"
    why = (
        f" The last one failed: {runs.why}"
        if runs.why
        else " Does cron run? `crontab -l`, `draftctl doctor --as-cron`."
    )
    return _told(runs, now, after_s, f"draftctl: no run has ended well {since}.{why}")


def _told(runs: Runs, now: float, after_s: float, text: str) -> tuple[Runs, str | None]:
    if runs.told_at is not None and now - runs.told_at < after_s:
        return runs, None
    return replace(runs, told_at=now), text


def _span(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """Where the last runs are noted, and who hears of trouble; a notice that cannot be given is said on stderr and stops nothing."""

    path: Path
    command: str | None
    url: str | None
    after_s: float

    def run_ended(self, exit_code: int, why: str) -> None:
        """Note how a run ended, and say it where it must be said."""
        self._with(lambda runs, now: ended(runs, now=now, exit_code=exit_code, why=why, after_s=self.after_s))

    def look(self) -> str | None:
        """Say that runs stay away, where they do; return why, also when it was said already."""
        self._with(lambda runs, now: away(runs, now=now, after_s=self.after_s))
        runs, now = self._read(), datetime.now(UTC).timestamp()
        well = runs.well_at is not None and now - runs.well_at <= self.after_s
        return None if well else (runs.why or "no run has ended well")

    def _with(self, step: Callable[[Runs, float], tuple[Runs, str | None]]) -> None:
        runs, said = step(self._read(), datetime.now(UTC).timestamp())
        if said is not None:
            self.say(said)
        self._write(runs)

    def say(self, text: str) -> None:
        """Give a notice: by the command (on its stdin) and by the URL (as JSON), whichever is set; else on stderr."""
        if self.command:
            self._by_command(self.command, text)
        if self.url:
            self._by_url(self.url, text)
        if not (self.command or self.url):
            sys.stderr.write(f"{text}\n")

    @staticmethod
    def _by_command(command: str, text: str) -> None:
        try:
            subprocess.run(
                shlex.split(command), input=f"{text}\n", text=True, check=True, timeout=TIMEOUT_S, capture_output=True
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"{text}\ndraftctl: notify.command did not take this notice ({type(error).__name__})\n")

    @staticmethod
    def _by_url(url: str, text: str) -> None:
        if not post(url, {"text": text}):
            sys.stderr.write(f"{text}\ndraftctl: notify.url did not take this notice\n")

    def _read(self) -> Runs:
        try:
            return _checked(json.loads(self.path.read_text()))
        except (OSError, ValueError, TypeError):
            return Runs()

    def _write(self, runs: Runs) -> None:
        beside = self.path.with_name(f".{self.path.name}.new")
        with contextlib.suppress(OSError):
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w") as file:  # noqa: PTH123
                json.dump(asdict(runs), file)
            beside.replace(self.path)


def _checked(value: dict[str, Any]) -> Runs:
    """Return what the file says, if it says what it should. Raises ValueError or TypeError."""
    times = [value.get(name) for name in ("well_at", "failing_since", "told_at")]
    if not all(at is None or isinstance(at, (int, float)) for at in times):
        raise ValueError("a time is no number")
    return Runs(**{**value, "why": str(value.get("why", ""))})


def post(url: str, value: dict[str, str]) -> bool:
    """Post a small JSON object; say whether it was taken."""
    import httpx  # noqa: PLC0415  (only where a URL is configured)

    try:  # the status says it all: an answer that drips or never ends is not read
        with httpx.stream("POST", url, json=value, timeout=TIMEOUT_S, trust_env=False) as response:
            response.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
    return True
