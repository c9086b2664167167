"""What is wrong, or will be, in the pastebin and the vocabulary: the parsers' errors and the checks that need it all. Pure."""

from collections.abc import Mapping
from dataclasses import replace

from draftctl.canon import NOTES, Canon, parse_canon, spell
from draftctl.errors import FileProblems, Problem
from draftctl.prompt import render_note
from draftctl.runner import body_hits
from draftctl.vocab import VOCAB, parse_vocab
from draftctl.yamlfile import parse_yaml

_SAMPLE = "Alex"


def lint_pastebin(files: Mapping[str, bytes]) -> list[Problem]:
    """Return every problem, in the order of path and place; none means that every note may leave as it stands."""
    problems: list[Problem] = []
    try:
        problems += _unsendable(
            parse_canon({path: files[path] for path in files if path.startswith("pastebin/")}), files[NOTES]
        )
    except FileProblems as error:
        problems += error.problems
    try:
        parse_vocab(files.get(VOCAB))
    except FileProblems as error:
        problems += error.problems
    return sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column))


def _unsendable(canon: Canon, content: bytes) -> list[Problem]:
    """Find the notes that no candidate could ever get: a gate stops their text, or it is too long."""
    document = parse_yaml(content, NOTES)
    problems = []
    for key, note in canon.notes.items():
        text = render_note(note.text, dict.fromkeys(note.atoms, _SAMPLE))
        path = ("notes", key, "text")
        for gate, rule in body_hits(text, canon):
            problems.append(
                document.problem(path, f"note {key} never leaves: gate {gate} stops it (rule {rule})", "E-GATE")
            )
        if len(text) > note.max_chars:
            problems.append(
                document.problem(
                    path, f"note {key} has {len(text)} characters; its max_chars is {note.max_chars}", "E-LENGTH"
                )
            )
    for alias, key in canon.aliases.items():
        if key not in canon.notes:
            message = f"the alias {alias} points at {spell(key)}, which is not a note yet"
            problems.append(replace(document.problem(("aliases", alias), message, "W-ALIAS"), severity="warning"))
    return problems
