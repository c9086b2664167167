"""What a YAML parser's error means to whoever wrote the file, and where it began rather than where the parser gave up. Pure."""

import re
from collections.abc import Sequence

import yaml

QUOTE_JINJA = "a text that starts with {{ or {% needs quotes, or a | block"
_MISFIT = ("expected key", "expected <block end>", "expected '-' indicator")


def starts_like_jinja(line: str) -> bool:
    """Say whether a line's value starts with Jinja, which YAML takes for a mapping."""
    return re.match(r"\s*(?:- )?\s*(?:[\w]+:)?\s*\{[{%]", line) is not None


def explain_yaml(lines: Sequence[str], error: yaml.MarkedYAMLError) -> tuple[int, int, str]:
    """Return the line and column (from 0) of an error of the parser's, and what it means."""
    line, column = _place(lines, error)
    message = " ".join(part for part in (error.context, error.problem) if part)
    context, began = str(error.context or ""), _began_before(error)
    if "single document" in message:
        message = "a second document starts here (`---`); one file holds one"
    elif "mapping values are not allowed" in message:
        message = "a `:` stands where none may; quote the text, or check the indentation"
    elif line < len(lines) and starts_like_jinja(lines[line]):
        message, column = QUOTE_JINJA, lines[line].index("{")
    elif any(words in message for words in _MISFIT):
        line, column, message = _misfit(lines, line, column)
    elif began and "flow" in context:
        message = "this bracket, or a quotation mark in it, does not close where it should"
    elif began and "quoted" in context:
        message = "this quotation mark never closes"
    elif "simple key" in context:
        message = "a key stands before a colon and a blank (`key: value`)"
    return line, column, f"this is not YAML: {message}"


def _began_before(error: yaml.MarkedYAMLError) -> bool:
    """Say whether what is wrong began on a line before the one where the parser gave up."""
    return (
        error.context_mark is not None
        and error.problem_mark is not None
        and error.context_mark.line < error.problem_mark.line
    )


def _place(lines: Sequence[str], error: yaml.MarkedYAMLError) -> tuple[int, int]:
    mark = error.problem_mark or error.context_mark
    if _began_before(error) and any(word in str(error.context) for word in ("flow", "simple key", "quoted")):
        mark = error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    if line >= len(lines) or (line == len(lines) - 1 and not lines[line] and line > 0):
        line = max(n for n, text in enumerate(lines) if text.strip() or n == 0)
        column = len(lines[line])
    return line, column


def _misfit(lines: Sequence[str], line: int, column: int) -> tuple[int, int, str]:
    """Say what does not fit: most often an indentation, or a `-` that is glued to its text further up."""
    for n in range(min(line, len(lines) - 1), -1, -1):
        if re.match(r"\s*-[^\s-]", lines[n]):
            return n, lines[n].index("-"), "a `-` needs a blank after it"
    return (
        line,
        column,
        "this does not fit what stands above it; check the indentation, and that every bracket and quotation mark closes",
    )
