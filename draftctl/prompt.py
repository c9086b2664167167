"""Texts rendered with Jinja: one sandboxed pass, inbound text only ever a variable, what is missing is an error. Pure.

The sandbox is ImmutableSandboxedEnvironment with `*` and `**` intercepted (`'a' * 10**9` costs 16 s and 1 GB without that).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from draftctl.models import Atom

RENDERER_VERSION = "1"
MAX_RENDERED_CHARS = 64 * 1024


class MissingAtom(Exception):
    """The text uses an atom that the candidate does not have; `str()` is its name."""


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, _context: Any, operator: str, _left: Any, _right: Any) -> Any:
        raise SecurityError(f"`{operator}` may not be used in a text")


def _environment() -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
    environment.globals.clear()
    return environment


_ENVIRONMENT = _environment()


@lru_cache(maxsize=512)
def _compiled(text: str) -> Any:
    return _ENVIRONMENT.from_string(text)


def render_note(text: str, atoms: Mapping[str, Atom]) -> str:
    """Fill a note with a candidate's atoms, once.

    Raises MissingAtom, naming the atom; TemplateSyntaxError and SecurityError for a note that lint would have refused.
    """
    missing = [name for name in needed_atoms(text) if name not in atoms]
    if missing:
        raise MissingAtom(missing[0])
    try:
        rendered: str = _compiled(text).render(atoms)
    except UndefinedError as error:
        raise MissingAtom(error.message or "unknown") from error
    if len(rendered) > MAX_RENDERED_CHARS:
        raise SecurityError("the rendered text is longer than 64 KiB")
    return rendered.strip()


@lru_cache(maxsize=512)
def needed_atoms(text: str) -> tuple[str, ...]:
    """Return the atoms that a note cannot do without: those used outside `default(...)` and `is defined`."""
    tree = _ENVIRONMENT.parse(text)
    optional = {
        node.node.name
        for node in tree.find_all((nodes.Filter, nodes.Test))
        if node.name in ("default", "d", "defined") and isinstance(node.node, nodes.Name)
    }
    return tuple(sorted(meta.find_undeclared_variables(tree) - optional))


def syntax_error(text: str) -> tuple[int, str] | None:
    """Return the line (from 1) and the message of a text's first Jinja error, or None."""
    try:
        tree = _ENVIRONMENT.parse(text)
        _compiled(text)
    except TemplateSyntaxError as error:
        return error.lineno, error.message or "not a Jinja text"
    for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Call, nodes.For):
        found = tree.find(kind)
        if found is not None:
            return (
                found.lineno,
                f"`{kind.__name__.lower()}` may not be used in a note; a note has atoms and conditions only",
            )
    return None
