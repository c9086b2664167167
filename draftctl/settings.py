"""`draftctl.yaml` and the environment, read once into frozen values, each with where it came from."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, WithJsonSchema

from draftctl.addresses import is_near
from draftctl.errors import UsageError
from draftctl.file_model import Strict, validate
from draftctl.models import Mode
from draftctl.pacing import QuietHours, parse_quiet_hours
from draftctl.yamlfile import parse_yaml

FILE_NAME = "draftctl.yaml"
_DURATION = re.compile(r"([0-9]{1,7})([smh])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600}
# The environment wins over the file. Secrets are named here so that `doctor` can say whether they are set; it never shows them.
ENVIRONMENT = {"DRAFTCTL_DB": "database", "GPU_INFERENCE_URL": "inference.url", "MACSYNC_URL": "dispatch.to"}
OUTSIDE = (
    "DRAFTCTL_WORKSPACE",
    "GPU_INFERENCE_API_KEY",
    "DIGITALOCEAN_TOKEN",
    "DIGITALOCEAN_ACCESS_TOKEN",
    "DIGITALOCEAN_END_POINT",
    "NO_COLOR",
)


def parse_duration(value: Any) -> int:
    """Read a duration (90s, 30m, 2h) into seconds. Raises ValueError, as a sentence, for anything else."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("expected a duration: a number and s, m or h, as in 90s, 30m, 2h")
    return int(match[1]) * _UNIT_S[match[2]]


def span(seconds: float) -> str:
    """Return a length of time for a person."""
    if seconds < 120:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    if seconds < 7200:  # noqa: PLR2004
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h".replace(".0 h", " h")


def _day(value: Any) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError:
        raise ValueError("expected a day, as in 2026-11-24") from None


def _quiet_hours(value: Any) -> QuietHours | None:
    if value is None or isinstance(value, QuietHours):
        return value
    return parse_quiet_hours(str(value))


def _timezone(value: Any) -> str | None:
    if value is None:
        return None
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is no time zone; it reads like Europe/Berlin") from None


_WRITTEN = WithJsonSchema({"type": ["string", "integer"]})  # what an editor is told: `30m`
Duration = Annotated[int, BeforeValidator(parse_duration), _WRITTEN]
Day = Annotated[date | None, BeforeValidator(_day)]
Count = Annotated[int, Field(ge=1)]
Usd = Annotated[float, Field(ge=0)]


class Persona(Strict):
    """In whose voice texts are written, who consented to that, when, and until when that stands."""

    name: str = "Quinn"
    consented_by: str | None = None
    consented_at: Day = None
    review_by: Day = None


class Batch(Strict):
    """How a batch runs: requests in flight, how long (seconds), how many runs may pick a held candidate up again."""

    max_in_flight: Annotated[int, Field(ge=1, le=4096)] = 64
    time_budget: Duration = 1800
    max_attempts: Count = 5


class Inference(Strict):
    """Where a running server is, and how patient one request is (seconds)."""

    url: str | None = None
    request_timeout: Duration = 120
    connect_timeout: Duration = 5
    tries: Count = 4
    allowed_hosts: tuple[str, ...] = ()


class Gpu(Strict):
    """How a GPU is rented and when it is given back (durations in seconds, money in US dollars)."""

    ssh_user: str = "root"
    ssh_port: Annotated[int, Field(ge=1, le=65535)] = 22
    remote_port: Annotated[int, Field(ge=1, le=65535)] = 8000
    state_dir: str = "/var/lib/draftctl"
    owner: str = "draftctl"
    poll_interval: Annotated[Duration, Field(ge=1)] = 5
    provision_on: Literal["droplet", "host"] = "droplet"
    provision_host: str | None = None
    deep_queue: Annotated[int, Field(ge=0)] = 32
    provision_host_key: str | None = None
    provision_identity: str = "~/.ssh/id_ed25519"
    provision_script: str = "scripts/provision-raw-gpu-droplet.sh"
    boot_timeout: Duration = 2700
    ssh_from: tuple[str, ...] = ("0.0.0.0/0", "::/0")
    max_wait: Duration = 1800
    idle_grace: Duration = 30
    extend: Duration = 120
    max_lifetime: Duration = 7200
    max_failed_starts: Count = 3
    daily_budget_usd: Usd = 20
    monthly_budget_usd: Usd = 200
    billing_minimum: Duration = 300
    billing_quantum: Duration = 1


class Export(Strict):
    """What decides for ever which person is training and which is test: a secret, and the share that is test."""

    salt: str = ""
    test_share: Annotated[float, Field(ge=0, lt=1)] = 0.1


class Review(Strict):
    """How people review: what a pause longer than this is not counted as (seconds)."""

    idle: Duration = 30


class Retention(Strict):
    """How long `purge` lets texts and think steps stand."""

    texts_days: Count = 90
    think_days: Count = 14


class Dispatch(Strict):
    """Where approved texts go (a URL, or file:PATH), how long it may take to answer (seconds), when nothing is sent, how many a person gets in a day."""

    to: str | None = None
    timeout: Annotated[Duration, Field(ge=1)] = 30
    quiet_hours: Annotated[QuietHours | None, BeforeValidator(_quiet_hours)] = None
    timezone: Annotated[str | None, BeforeValidator(_timezone)] = None
    max_per_person_day: Count = 20


def _told_url(value: Any) -> str | None:
    """Check a URL that ids are posted to: plain HTTP stays on this machine and in private networks."""
    if value is None:
        return None
    parts = urlsplit(str(value))
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected an http or https URL")
    if parts.scheme == "http" and not is_near(parts.hostname):
        raise ValueError("plain http would tell who it is about in the clear; use https, or a private address")
    return str(value)


Told = Annotated[str | None, BeforeValidator(_told_url)]


class Notify(Strict):
    """Who hears that a run failed or stays away: a command (it gets the sentence on stdin), a URL (it gets it by POST); after how long (seconds)."""

    command: str | None = None
    url: Told = None
    after: Annotated[Duration, Field(ge=60)] = 3600


class Alerts(Strict):
    """Who hears of an alert beside the line on stderr: a URL, which gets ids and the gate's name by POST, never a text."""

    webhook: Told = None


class Heartbeat(Strict):
    """Where a cron line says that it ran: a URL each, pinged with `/start`, alone for success, and with `/fail`."""

    run: str | None = None
    draft: str | None = None
    reap: str | None = None
    backup: str | None = None


class SettingsFile(Strict):
    """The whole of `draftctl.yaml`."""

    persona: Persona = Persona()
    database: str = "var/draftctl.db"
    mode: Mode = "review"
    batch: Batch = Batch()
    inference: Inference = Inference()
    gpu: Gpu = Gpu()
    export: Export = Export()
    review: Review = Review()
    retention: Retention = Retention()
    dispatch: Dispatch = Dispatch()
    notify: Notify = Notify()
    alerts: Alerts = Alerts()
    heartbeat: Heartbeat = Heartbeat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a run goes by. `sources` says for each setting where its value came from."""

    root: Path
    values: SettingsFile
    sources: Mapping[str, str]

    @property
    def database(self) -> Path:
        """Return the database file's path; a relative one counts from the workspace."""
        return resolve_database(self.root, self.values.database)


def resolve_database(root: Path, written: str) -> Path:
    """Return the one true path of a database: links are followed, so that two names never mean two locks."""
    try:
        return (root / Path(written).expanduser()).resolve()
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"database: {written!r} is no path: {error}.") from error


def parse_settings(content: bytes, *, root: Path, environment: Mapping[str, str]) -> Settings:
    """Read `draftctl.yaml`'s bytes and the environment.

    Raises FileProblems with everything that is wrong in the file.
    """
    document = parse_yaml(content, FILE_NAME)
    values = validate(document, SettingsFile)
    lines = {".".join(map(str, path)): line + 1 for path, line, _ in document.places()}
    sources = {
        name: f"{FILE_NAME}:{lines[name]}" if name in lines else "default" for name in _names(values.model_dump(), "")
    }
    for variable, name in ENVIRONMENT.items():
        if environment.get(variable):
            values = _replace(values, name.split("."), environment[variable])
            sources[name] = f"environment {variable}"
    return Settings(root=root, values=values, sources=sources)


def _names(values: Mapping[str, Any], prefix: str) -> list[str]:
    return [
        name
        for key, value in values.items()
        for name in (_names(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"])
    ]


def _replace(values: Any, names: list[str], value: str) -> Any:
    head, *rest = names
    return values.model_copy(update={head: _replace(getattr(values, head), rest, value) if rest else value})
