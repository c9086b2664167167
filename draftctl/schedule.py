"""The lines that a clock runs: drafting, the sweep, the backup; as crontab lines or systemd timers. Pure."""

import shlex
from dataclasses import dataclass

BEGIN, END = "# draftctl: begin {name}", "# draftctl: end {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job: its name, its arguments, when cron runs it, and when systemd does."""

    name: str
    arguments: tuple[str, ...]
    cron: str
    calendar: str
    what: str


JOBS = (
    Job(name="run", arguments=("run", "--gpu", "auto"), cron="* * * * *", calendar="*:*:00", what="does all that is due"),
    Job(name="watch", arguments=("watch",), cron="*/15 * * * *", calendar="*:0/15:20", what="says when runs fail or stay away"),
    Job(name="reap", arguments=("gpu", "reap"), cron="*/10 * * * *", calendar="*:0/10:30", what="ends droplets whose time is up"),
    Job(name="backup", arguments=("backup",), cron="17 4 * * *", calendar="04:17:00", what="backs up the database"),
)  # fmt: skip


def crontab_lines(program: str, root: str, name: str) -> list[str]:
    """Return the block for a crontab. `%` is cron's newline, so it is escaped. A run's result is thrown away, what it says beside is mailed."""
    lines = [BEGIN.format(name=name)]
    for job in JOBS:
        command = " ".join(shlex.quote(word) for word in (program, "--workspace", root, *job.arguments))
        quiet = " > /dev/null" if job.name in ("run", "backup") else ""
        lines.append(f"{job.cron} {command}{quiet}".replace("%", "\\%"))
    return [*lines, END.format(name=name)]


def merged(present: str, block: list[str], name: str) -> str:
    """Return a crontab with the block put in the place of an earlier one, or at its end; all other lines as they are."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    lines = present.splitlines()
    if begin in lines and end in lines[lines.index(begin) :]:
        first = lines.index(begin)
        last = lines.index(end, first)
        lines[first : last + 1] = block
    else:
        lines += block
    return "\n".join(lines) + "\n"


def without(present: str, name: str) -> str:
    """Return a crontab without the block."""
    begin, end = BEGIN.format(name=name), END.format(name=name)
    lines = present.splitlines()
    if begin in lines and end in lines[lines.index(begin) :]:
        first = lines.index(begin)
        del lines[first : lines.index(end, first) + 1]
    return "".join(f"{line}\n" for line in lines)


def systemd_units(program: str, root: str, name: str) -> dict[str, str]:
    """Return the unit files for the user's systemd, by name."""
    units = {}
    for job in JOBS:
        words = " ".join(_word(word) for word in (program, "--workspace", root, *job.arguments))
        unit = f"draftctl-{name}-{job.name}"
        codes = "\nSuccessExitStatus=75" if job.name == "run" else ""
        units[f"{unit}.service"] = (
            f"[Unit]\nDescription=draftctl {job.what} ({root})\n\n[Service]\nType=oneshot\nExecStart={words}{codes}\n"
        )
        units[f"{unit}.timer"] = (
            f"[Unit]\nDescription=draftctl {job.what} ({root})\n\n[Timer]\nOnCalendar={job.calendar}\nPersistent=true\nAccuracySec=1s\n\n"
            "[Install]\nWantedBy=timers.target\n"
        )
    return units


def _word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
