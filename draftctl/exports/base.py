"""What a data set is made of: one correction as an export reads it, and what a format makes of it. Pure.

Everything is bytes of JSON already: texts come escaped out of the walk over the table, and a format puts them together. That is
what lets a million corrections leave in seconds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Json = bytes


class Kept(NamedTuple):
    """One correction that may train: JSON texts, `prompt` a list of messages, `provenance` the fields that say where it is from.

    `original` is the draft, `final` what a person let go (None after a rejection); both are JSON strings, or None.
    """

    verdict: str
    prompt: Json
    original: Json | None
    final: Json | None
    provenance: Json
    model_fault: bool
    same: bool


Made = tuple[Json, ...] | str  # the rows of a correction, or why it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the files beside the rows say: how long the longest row may be (tokens), rows by split, the engine, and whether a tokenizer measured."""

    max_length: int
    rows: Mapping[str, int]
    engine: str
    dataset_id: str
    measured: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format: how its rows are made and of which verdicts, whether they are pairs, whether the draft is in them, a trainer's files."""

    name: str
    about: str
    make: Callable[[Kept], Made]
    files: Callable[[Facts], dict[str, str]] = field(default=lambda _facts: {})
    verdicts: frozenset[str] = frozenset({"approved", "edited"})
    pairs: bool = False
    uses_original: bool = False


def said(text: Json) -> Json:
    """Return one assistant message as a list."""
    return b'[{"role":"assistant","content":' + text + b"}]"


def row(*, provenance: Json = b"", **fields: Json) -> Json:
    """Return one row: its fields in this order, then where it is from."""
    inner = b",".join([b'"%b":%b' % (name.encode(), value) for name, value in fields.items()])
    return b"{%b,%b}\n" % (inner, provenance) if provenance else b"{%b}\n" % inner


def supervised(kept: Kept) -> Json | str:
    """Return the text to learn from: what a person let go; or why there is none."""
    return "rejected" if kept.final is None else kept.final


def conversation(kept: Kept, text: Json) -> Json:
    """Return the prompt's messages with the reply as the last one."""
    return kept.prompt[:-1] + b',{"role":"assistant","content":' + text + b"}]"
