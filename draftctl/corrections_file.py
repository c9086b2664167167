"""One line of `correct --import`: a verdict as JSON. `parse_correction` is pure."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, ValidationError, field_validator

from draftctl.file_model import Strict
from draftctl.inbox import sentence_of
from draftctl.models import canonical_json, sha256_text

MAX_BYTES = 65_536


class _Line(Strict):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    draft_id: str
    verdict: Literal["approved", "edited", "rejected"]
    body: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    author: str | None = None
    at: str | None = None

    @field_validator("tags", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("at")
    @classmethod
    def _with_zone(cls, value: str | None) -> str | None:
        if value is not None and datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("a time needs its zone, as in 2026-11-25T09:30:00+00:00")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionLine:
    """One verdict of a file; `key` is the same for the same content, key order aside."""

    draft_id: str
    verdict: str
    body: str | None
    tags: tuple[str, ...]
    note: str | None
    author: str | None
    at: str | None
    key: str


def parse_correction(raw: bytes) -> CorrectionLine:
    """Read one line. Raises ValueError, as a sentence, for anything that is no verdict."""
    if len(raw) > MAX_BYTES:
        raise ValueError(f"the line has {len(raw):,} bytes; at most {MAX_BYTES:,} are read")
    try:
        value = json.loads(raw.decode())
        read = _Line.model_validate(value)
        if read.verdict == "edited" and not (read.body or "").strip():
            raise ValueError("an edit needs its text in `body`")
        if read.verdict != "edited" and read.body is not None:
            raise ValueError(f"`body` goes with the verdict edited, not {read.verdict}")
        key = sha256_text(canonical_json(read.model_dump(exclude_defaults=True)))
    except UnicodeDecodeError:
        raise ValueError("the line is not UTF-8") from None
    except UnicodeEncodeError:
        raise ValueError("the line holds half a character (a lone surrogate), which is no text") from None
    except RecursionError:
        raise ValueError("the line is nested too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except ValidationError as error:
        raise ValueError("; ".join(sentence_of(item) for item in error.errors(include_url=False)[:3])) from None
    return CorrectionLine(**read.model_dump(), key=key)
