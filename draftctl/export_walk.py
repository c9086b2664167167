"""The walk of an export: each correction that stays becomes rows in the file of its split; duplicates go out again at the end."""

import gc
import sqlite3
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

import orjson

from draftctl.corrections import MARK, SHA_CHARS, loaded_prompt
from draftctl.export_plan import TRAIN, Duplicates, Sorter
from draftctl.exports import FORMATS
from draftctl.exports.base import Kept
from draftctl.redaction import VERSION, redact
from draftctl.split import in_training, thread_mark
from draftctl.store import export_rows, training
from draftctl.store.export_rows import Row
from draftctl.store.training import TrainingTexts

SPLITS = ("train", "test")
_HEADS = tuple(f'[{{"role":"{role}","content":"{MARK}'.encode() for role in ("user", "system"))


class RowCheck(Protocol):
    """Looks at each row that would be exported. `longest` is the longest it let pass, in tokens, `about` goes into the manifest."""

    longest: int
    about: dict[str, Any]

    def look(self, kept: Kept) -> str | None:
        """Return why the row is left out, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What is exported: format, engine (None: all), where to, the split; `raw` leaves personal data in."""

    format: str
    out: Path
    engine: str | None = None
    salt: str = ""
    test_share: float = 0.1
    raw: bool = False
    check: RowCheck | None = None


@dataclass(slots=True)
class Made:
    """What a walk has made: corrections read, left out and kept, rows by split, and the longest row (bytes)."""

    input: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    rows: list[int] = field(default_factory=lambda: [0, 0])
    longest: int = 0
    members: "array[int]" = field(default_factory=lambda: array("I"))
    gone: set[int] = field(default_factory=set)
    kinds: dict[tuple[str, str], int] = field(default_factory=dict)  # (verdict, build) -> its number
    counts: Counter[int] = field(default_factory=Counter)  # by that number

    def kind(self, verdict: str, source: str) -> int:
        """Return the number of a kind of correction."""
        return self.kinds.setdefault((verdict, source.partition("\x1f")[0]), len(self.kinds))

    def drop(self, id_: int, kind: int, rows: int) -> None:
        """Take a training correction out of the counts again."""
        self.rows[TRAIN] -= rows
        self.counts[kind] -= 1
        self.dropped["duplicate"] += 1
        self.gone.add(id_)

    @property
    def kept(self) -> "array[int]":
        """Return the ids of the corrections that stayed."""
        return array("I", (n for n in self.members if n not in self.gone)) if self.gone else self.members


def write_rows(
    connection: sqlite3.Connection, options: ExportOptions, people: export_rows.Population, made: Made, folder: Path
) -> None:
    """Make the rows of every correction that stays, each into the file of its split; then take the duplicates out again.

    One function, and nothing looked up twice: a million corrections pass through this loop.
    """
    format_ = FORMATS[options.format]
    trains = partial(in_training, salt=options.salt, test_share=options.test_share)
    sorter = Sorter(people, format_, trains, raw=options.raw)
    place_of, leak = sorter.place, lru_cache(maxsize=4096)(partial(_leak, connection, sorter))
    keep = _Reader(connection, raw=options.raw, salt=options.salt, uses_original=format_.uses_original).keep
    make, check = format_.make, options.check
    duplicates = Duplicates(with_originals=format_.uses_original)
    kind_of, members, counts = lru_cache(maxsize=1024)(made.kind), made.members, made.counts
    with ExitStack() as stack:
        files = [stack.enter_context((folder / f"{split}.jsonl").open("wb", buffering=1 << 20)) for split in SPLITS]
        stack.enter_context(_no_collector())
        for row in export_rows.walk(connection, people.last_id, options.engine):
            made.input += 1
            place = place_of(*row[:8])
            if isinstance(place, int):
                never, test = leak(row[16])
                place = "example_leaks" if never or (test and place == TRAIN) else place
            if isinstance(place, str):
                made.dropped[place] += 1
                continue
            kept = keep(row)
            rows = kept if isinstance(kept, str) else make(kept)
            if check is not None and isinstance(kept, Kept) and not isinstance(rows, str):
                rows = check.look(kept) or rows
            if isinstance(rows, str):
                made.dropped[rows] += 1
                continue
            size = 0
            for line in rows:
                size += files[place].write(line)
                made.longest = max(made.longest, len(line))
            made.rows[place] += len(rows)
            kind = kind_of(row[2], row[7])
            counts[kind] += 1
            members.append(row[0])
            final, original = row[12] or 0, (row[11] or 0) if format_.uses_original else 0
            if place == TRAIN:
                duplicates.note_train(row[0], kind, final, original, size)
            else:
                duplicates.note_test(final, original)
    _take_out(duplicates, made, folder / "train.jsonl")


def _leak(connection: sqlite3.Connection, sorter: Sorter, bundle_hash: str | None) -> tuple[bool, bool]:
    """Say what the examples in the prompts of a bundle would leak; a prompt shows other people's words too."""
    return sorter.leak(export_rows.shown_persons(connection, bundle_hash)) if bundle_hash else (False, False)


@contextmanager
def _no_collector() -> Iterator[None]:
    """Let nothing look for cycles meanwhile: there are none, and looking costs a tenth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _take_out(duplicates: Duplicates, made: Made, path: Path) -> None:
    """Write the training file once more without the rows that say what a test row says."""
    gone = set(duplicates.found())
    if not gone:
        return
    with path.open("rb") as old, path.with_suffix(".new").open("wb") as new:
        for n, size in enumerate(duplicates.sizes):
            rows = old.read(size)
            if n in gone:
                made.drop(duplicates.ids[n], duplicates.kinds[n], rows.count(b"\n"))
            else:
                new.write(rows)
    path.with_suffix(".new").rename(path)


class _Reader:
    """Makes the texts of a correction ready: redacted as they are kept, or rebuilt as they were."""

    def __init__(self, connection: sqlite3.Connection, *, raw: bool, salt: str, uses_original: bool) -> None:
        self._connection = connection
        self._raw = raw
        self._uses_original = uses_original
        self._mark = lru_cache(maxsize=64)(lambda thread: thread_mark(thread, salt).encode())
        self._context = lru_cache(maxsize=256)(partial(_context, connection))
        self._source = lru_cache(maxsize=1024)(_source)

    def keep(self, row: Row) -> Kept | str:
        """Return a correction with its texts as JSON, or why it has none."""
        id_, _, verdict, fault, _, _, _, source, draft_id, thread, redactor, _, _, prompt, original, final, _ = row
        if self._raw:
            found = export_rows.raw(self._connection, id_)
            if found is None:
                return "no_prompt"
            prompt = orjson.dumps([{"role": role, "content": content} for role, content in found.messages])
            original, final = found.original, found.final
        elif redactor != VERSION and prompt:
            again = self._redact_again(id_, prompt, original, final)
            if again.residual:
                return "residual_personal_data"
            prompt, original, final = (again.prompt or "").encode(), again.original, again.final
        opened = _opened(prompt, self._context) if prompt else None
        if opened is None:
            return "no_prompt"
        return Kept(
            verdict,
            opened,
            orjson.dumps(original) if original and self._uses_original else None,
            orjson.dumps(final) if final else None,
            b'"draftctl_draft_id":%b,"draftctl_correction_id":"%d","draftctl_thread":"%b",%b'
            % (orjson.dumps(draft_id), id_, self._mark(thread), self._source(source)),
            bool(fault),
            original == final,
        )

    def _redact_again(self, id_: int, prompt: bytes, original: str | None, final: str | None) -> TrainingTexts:
        """Redact once more what an older redactor let through."""
        inbound, names = export_rows.for_redaction(self._connection, id_)
        messages, shared = loaded_prompt(prompt)
        return training.redacted(messages, shared, names, inbound=inbound, original=original, final=final)


def _opened(prompt: bytes, context: Any) -> bytes | None:
    """Return a stored prompt's messages as JSON, the shared context in its place; None where that was erased."""
    for head in _HEADS:
        if prompt.startswith(head):
            end = len(head) + SHA_CHARS
            text = context(prompt[len(head) : end].decode())
            return None if text is None else prompt[: len(head) - len(MARK)] + text + prompt[end + 2 :]
    return prompt


def _context(connection: sqlite3.Connection, sha256: str) -> bytes | None:
    """Return a shared context as it stands inside a JSON string, without personal data."""
    text = export_rows.blob(connection, sha256)
    return None if text is None else orjson.dumps(redact(text))[1:-1]


def _source(source: str) -> bytes:
    """Return the part of the provenance that many rows share."""
    engine, workflow, key = source.split("\x1f")
    value = {"draftctl_engine": engine, "draftctl_workflow": workflow, "draftctl_template_key": key}
    return orjson.dumps(value)[1:-1]
