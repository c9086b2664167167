"""The pastebin: notes by key, their aliases and texts, and the owner's own patterns. `parse(...)` is pure.

Keys are exact code points. NFKC is never run over keys or texts: it turns ① into 1, and ⑰ (U+2470) is not ⓱ (U+24F1).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from draftctl.errors import FileProblems, Problem, UsageError
from draftctl.file_model import Strict, validate
from draftctl.jinja_check import syntax_error
from draftctl.models import BundlePart
from draftctl.rendering import needed_atoms
from draftctl.spelling import code_point, did_you_mean
from draftctl.yamlfile import Document, parse_yaml

NOTES = "pastebin/notes.yaml"
SAFETY = "pastebin/safety.yaml"
_IS_TEXT = re.compile(r"pastebin/(?:voice|rules|safety)(?:-[^/]+)?\.md")
Parsed = TypeVar("Parsed")
DEFAULT_MAX_CHARS = 640  # four segments of an SMS


class NoteFile(Strict):
    """One note as it is written."""

    name: str
    text: str
    description: str = ""
    max_chars: Annotated[int, Field(ge=1, le=2000)] = DEFAULT_MAX_CHARS
    auto: bool = False  # may the template engine's text leave without a person, where the mode says so


class NotesFile(Strict):
    """The whole of `pastebin/notes.yaml`."""

    notes: dict[str, NoteFile]
    aliases: dict[str, str] = Field(default_factory=dict)


class PatternFile(Strict):
    """One pattern of the owner's: words that hold, on the inbound or on the reply. `*` stands for the rest of a word."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
    words: str
    on: Literal["inbound", "body", "both"] = "both"
    why: str = ""


class SafetyFile(Strict):
    """The whole of `pastebin/safety.yaml`."""

    patterns: tuple[PatternFile, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A note: its key, its short name, its Jinja text, and how long its reply may be (characters)."""

    key: str
    name: str
    text: str
    description: str = ""
    max_chars: int = DEFAULT_MAX_CHARS
    auto: bool = False

    @property
    def atoms(self) -> tuple[str, ...]:
        """Return the atoms that the note cannot do without."""
        return needed_atoms(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canon:
    """All that the pastebin says."""

    notes: Mapping[str, Note]
    aliases: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    patterns: tuple[PatternFile, ...] = ()

    def find(self, key: str) -> Note | None:
        """Return the note with this key, alias or name."""
        key = self.aliases.get(key, key)
        return self.notes.get(key) or next((note for note in self.notes.values() if note.name == key), None)

    def ask(self, word: str) -> Note:
        """Return the note that a person at the keyboard means: a key, an alias, a name, or a plain number (`17`).

        Raises UsageError, naming the look-alike or the nearest name.
        """
        note = self.find(word)
        if note is not None:
            return note
        alike = [n for n in self.notes.values() if _number(n.key) is not None and _number(n.key) == _number(word)]
        if len(alike) == 1 and word.isascii():
            return alike[0]
        raise UsageError(self.unknown(word))

    def unknown(self, word: str) -> str:
        """Say that no note has this key, and which was probably meant."""
        for key in self.notes:
            if _number(key) is not None and _number(key) == _number(word):
                return f"{spell(word)} is not a note; did you mean {spell(key)}?"
        names = [*(note.name for note in self.notes.values()), *self.notes]
        return f"{word!r} is not a note{did_you_mean(word, names)}"

    @property
    def safety_parts(self) -> tuple[BundlePart, ...]:
        """Return the owner's patterns as a part of every bundle."""
        return tuple(BundlePart(kind="pattern", key=p.id, content=f"{p.on}\n{p.words}\n{p.why}") for p in self.patterns)


def spell(key: str) -> str:
    """Return a key with its code points: `⑰ (U+2470 CIRCLED NUMBER SEVENTEEN)`; plain words stay as they are."""
    if key.isascii():
        return repr(key)
    return f"{key} ({' '.join(map(code_point, key))})"


def _number(key: str) -> float | None:
    if key.isascii():
        return float(key) if key.isdigit() and len(key) <= 4 else None  # noqa: PLR2004  (a note's number is short)
    return unicodedata.numeric(key, None) if len(key) == 1 else None


def parse_canon(files: Mapping[str, bytes]) -> Canon:
    """Read the pastebin from its files' bytes by path; `notes.yaml` must be there, the others may be absent.

    Raises FileProblems with everything that is wrong in all of them.
    """
    problems: list[Problem] = []
    if NOTES not in files:
        problem = Problem(
            path=NOTES, line=1, column=1, message="the file is missing; it holds the notes", rule="E-MISSING"
        )
        raise FileProblems([problem])
    notes, aliases = _collect(problems, lambda: _parse_notes(files[NOTES])) or ({}, {})
    patterns = _collect(problems, lambda: _parse_patterns(files[SAFETY])) if SAFETY in files else ()
    texts = {
        path: _collect(problems, partial(_parse_text, path, files[path])) or ""
        for path in sorted(files)
        if _IS_TEXT.fullmatch(path)
    }
    if problems:
        raise FileProblems(problems)
    return Canon(notes=notes, aliases=aliases, texts=texts, patterns=patterns or ())


def _collect(problems: list[Problem], parse: Callable[[], Parsed]) -> Parsed | None:
    try:
        return parse()
    except FileProblems as error:
        problems.extend(error.problems)
        return None


def _parse_notes(content: bytes) -> tuple[dict[str, Note], dict[str, str]]:
    document = parse_yaml(content, NOTES)
    file = validate(document, NotesFile)
    problems = [
        *_note_problems(document, file),
        *_name_problems(document, file),
        *_alias_problems(document, file),
    ]
    if problems:
        raise FileProblems(problems)
    notes = {
        key: Note(key=key, name=n.name, text=n.text, description=n.description, max_chars=n.max_chars, auto=n.auto)
        for key, n in file.notes.items()
    }
    return notes, dict(file.aliases)


def _note_problems(document: Document, file: NotesFile) -> list[Problem]:
    problems = []
    if not file.notes:
        problems.append(document.problem(("notes",), "there is no note", "E-VALUE"))
    for key, note in file.notes.items():
        path = ("notes", key, "text")
        if not note.text.strip():
            problems.append(document.problem(path, f"note {key} has no text", "E-VALUE"))
        wrong = syntax_error(note.text)
        if wrong:
            problems.append(
                document.problem_in_text(path, note.text, wrong.offset, f"note {key}: {wrong.message}", wrong.rule)
            )
    return problems


def _name_problems(document: Document, file: NotesFile) -> list[Problem]:
    problems = []
    first: dict[str, str] = {}
    for key, note in file.notes.items():
        if note.name in first or (note.name in file.notes and note.name != key):
            other = first.get(note.name, note.name)
            message = f"the name '{note.name}' is already that of note {other}"
            problems.append(document.problem(("notes", key, "name"), message, "E-DUP"))
        first[note.name] = key
        for other in file.notes:
            if other < key and _number(other) is not None and _number(other) == _number(key):
                message = f"{spell(key)} looks like {spell(other)}; keep one and make the other an alias"
                problems.append(document.problem(("notes", key), message, "E-LOOKALIKE", at_key=True))
    return problems


def _alias_problems(document: Document, file: NotesFile) -> list[Problem]:
    problems = []
    for alias in file.aliases:
        if alias in file.notes:
            message = f"{spell(alias)} is a note already; an alias needs a key of its own"
            problems.append(document.problem(("aliases", alias), message, "E-DUP", at_key=True))
    return problems


def _parse_patterns(content: bytes) -> tuple[PatternFile, ...]:
    document = parse_yaml(content, SAFETY)
    file = validate(document, SafetyFile)
    problems, first = [], set()
    for n, pattern in enumerate(file.patterns):
        if pattern.id in first:
            problems.append(document.problem(("patterns", n, "id"), f"the id '{pattern.id}' is used twice", "E-DUP"))
        first.add(pattern.id)
        if not any(char.isalnum() for char in pattern.words):
            problems.append(document.problem(("patterns", n, "words"), "there is no word to look for", "E-VALUE"))
    if problems:
        raise FileProblems(problems)
    return file.patterns


def _parse_text(path: str, content: bytes) -> str:
    try:
        return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start)
        column = error.start - content.rfind(b"\n", 0, error.start)
        message = f"byte {content[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        source = content.split(b"\n")[line].decode(errors="replace")
        problem = Problem(path=path, line=line + 1, column=column, message=message, rule="E-YAML", source=source)
        raise FileProblems([problem]) from error
