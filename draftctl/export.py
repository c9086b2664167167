"""Corrections out as a data set: rows in two splits, a manifest, a data card and the trainers' configurations.

`export_plan` says where each correction goes, `export_walk` makes the rows. The same database gives the same bytes,
whatever Python, hash seed or order of insertion; only fields of the manifest that end in `_at` differ.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from draftctl import __version__
from draftctl.errors import StoreError, UsageError
from draftctl.export_walk import SPLITS, ExportOptions, Made, write_rows
from draftctl.exports import FORMATS
from draftctl.exports.base import Facts, Format
from draftctl.exports.card import data_card
from draftctl.failpoints import reach
from draftctl.models import canonical_json, sha256_text
from draftctl.redaction import VERSION
from draftctl.store import export_rows
from draftctl.store.db import transaction, utc_now

_ROUND_TOKENS = 64
_PARTIAL = ".draftctl-export-"


def export(connection: sqlite3.Connection, options: ExportOptions) -> dict[str, Any]:
    """Write a data set into a folder; return its manifest. Raises UsageError when the folder is somebody else's."""
    earlier = _earlier_files(options.out)
    people = export_rows.population(connection)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=options.out) as folder:
            return _export_into(connection, options, people, Path(folder), earlier)
    except OSError as error:
        message = f"{options.out}: {error.strerror or error}. This export is not whole, so it has no manifest."
        raise StoreError(message, hint="Free some space there, or name another folder; then export again.") from error


def _export_into(
    connection: sqlite3.Connection,
    options: ExportOptions,
    people: export_rows.Population,
    folder: Path,
    earlier: list[str],
) -> dict[str, Any]:
    """Make everything in a folder of its own, note it, and put it in place."""
    made = Made()
    write_rows(connection, options, people, made, folder)
    manifest = _finish(folder, options, FORMATS[options.format], made)
    with transaction(connection):  # noted first: a data set that nobody knows of could never be named
        export_rows.note_export(
            connection,
            dataset_id=manifest["dataset_id"],
            format_=options.format,
            engine=manifest["engine"],
            path=str(options.out.resolve()),
            manifest=canonical_json(manifest),
            members=made.kept,
        )
    _move(folder, options.out, earlier)
    return manifest


def _earlier_files(out: Path) -> list[str]:
    """Return the files of the earlier export in a folder; tidy up what a killed one left. Raises UsageError for any other folder."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file, so nothing was exported.", hint="--out names a folder.")
    for left in out.glob(f"{_PARTIAL}*") if out.is_dir() else ():
        shutil.rmtree(left)
    if not out.is_dir() or not any(out.iterdir()):
        return []
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        names = [str(file["path"]) for file in manifest["files"]]
        ours = bool(manifest["dataset_id"]) and all(Path(name).name == name for name in names)
    except (OSError, ValueError, KeyError, TypeError):
        names, ours = [], False
    if not ours:
        raise UsageError(
            f"{out} holds files that are no export, so nothing was written over.", hint="Name a new folder for --out."
        )
    return names


def _finish(folder: Path, options: ExportOptions, format_: Format, made: Made) -> dict[str, Any]:
    """Write what goes beside the rows; return the manifest."""
    sums = {f"{split}.jsonl": _sha256(folder / f"{split}.jsonl") for split in SPLITS}
    dataset_id = sha256_text(canonical_json([format_.name, sorted(sums.items())]))
    check = options.check
    longest = check.longest if check else made.longest
    facts = Facts(
        max_length=max(-(-longest // _ROUND_TOKENS), 1) * _ROUND_TOKENS,
        rows=dict(zip(SPLITS, made.rows, strict=True)),
        engine=options.engine or "all",
        dataset_id=dataset_id,
        measured=check is not None,
    )
    manifest: dict[str, Any] = {
        "dataset_id": dataset_id,
        "format": format_.name,
        "engine": facts.engine,
        "counts": {"input": made.input, "kept": made.input - made.dropped.total(), "rows": sum(made.rows)},
        "dropped": dict(sorted(made.dropped.items())),
        "splits": dict(facts.rows),
        "verdicts": _counted(made, 0),
        "engines": _counted(made, 1),
        "test_share": options.test_share,
        "salt_id": sha256_text(f"salt\0{options.salt}")[:12],
        "redacted": not options.raw,
        "redactor": VERSION,
        "max_length": facts.max_length,
        "tokenizer": check.about if check else None,
        "draftctl": __version__,
    }
    beside = {**format_.files(facts), "README.md": data_card(format_, facts, manifest)}
    for name, text in beside.items():
        (folder / name).write_text(text, encoding="utf-8")
        sums[name] = sha256_text(text)
    rows = {f"{split}.jsonl": n for split, n in facts.rows.items()}
    manifest["files"] = [{"path": name, "sha256": sums[name], "rows": rows.get(name, 0)} for name in sorted(sums)]
    manifest["exported_at"] = utc_now()
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return manifest


def _counted(made: Made, part: int) -> dict[str, int]:
    """Return how many corrections were kept by verdict (0) or by build (1)."""
    counts: Counter[str] = Counter()
    for kind, number in made.kinds.items():
        counts[kind[part]] += made.counts[number]
    return {name: n for name, n in sorted(counts.items()) if n}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _move(folder: Path, out: Path, earlier: list[str]) -> None:
    """Put the files in place of an earlier export's, the manifest last: a folder without one is no export, whenever this ends."""
    for name in ("manifest.json", *earlier):
        (out / name).unlink(missing_ok=True)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "manifest.json"):
        reach("export.before_rename")
        with path.open("rb") as file:
            os.fsync(file.fileno())
        path.rename(out / path.name)
