"""Jinja, kept small: one sandboxed pass, inbound text only ever a variable, what is missing is an error. Pure.

The sandbox is ImmutableSandboxedEnvironment with `*` and `**` intercepted (`'a' * 10**9` costs 16 s and 1 GB without that), no
calls, no globals, and only filters whose output is about as long as their input. Notes fill in atoms; prompts also see the
thread, the notes and what earlier steps left, and everything that they print goes through the neutraliser.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from draftctl.control_tokens import neutralise, one_line
from draftctl.models import Atom, canonical_json

RENDERER_VERSION = "2"
MAX_RENDERED_CHARS = 64 * 1024
FILTERS = frozenset(
    [
        "default",
        "d",
        "upper",
        "lower",
        "title",
        "capitalize",
        "trim",
        "length",
        "count",
        "first",
        "last",
        "join",
        "truncate",
        "int",
        "float",
        "round",
        "string",
        "sort",
        "unique",
        "list",
        "reverse",
    ]
)
_FAILS = (
    TemplateError,
    TypeError,
    ValueError,
    ArithmeticError,
    AssertionError,
    LookupError,
    AttributeError,
    RecursionError,
)


class MissingAtom(Exception):
    """The text uses an atom that the candidate does not have; `str()` is its name."""


class RenderError(Exception):
    """A prompt cannot be rendered; `str()` says why, `missing_atom` names the atom if that is what is missing."""

    def __init__(self, message: str, *, missing_atom: str = "") -> None:
        super().__init__(message)
        self.missing_atom = missing_atom


class Facts(dict[str, Any]):
    """Values that a text may name: `atoms.name` is the key and never a method; what is missing knows its own full name."""

    def __init__(self, label: str, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.label = label


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, _context: Any, operator: str, _left: Any, _right: Any) -> Any:
        raise SecurityError(f"`{operator}` may not be used in a text")

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            return self.getitem(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if not isinstance(obj, Mapping):
            return super().getitem(obj, argument)
        if argument in obj:
            return obj[argument]
        label = getattr(obj, "label", "")
        return self.undefined(hint=f"{label}.{argument}" if label else None, obj=obj, name=argument)


def _environment(**options: Any) -> _Environment:
    environment = _Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False, **options)
    environment.globals.clear()
    for name in set(environment.filters) - FILTERS:
        del environment.filters[name]
    return environment


ENVIRONMENT = _environment()


@lru_cache(maxsize=512)
def compiled(text: str) -> Any:
    """Return a text, compiled. Raises what Jinja raises for one that cannot be."""
    return ENVIRONMENT.from_string(text)


def render_note(text: str, atoms: Mapping[str, Atom]) -> str:
    """Fill a note with a candidate's atoms, once.

    Raises MissingAtom, naming the atom; TemplateSyntaxError and SecurityError for a note that lint would have refused.
    """
    missing = [name for name in needed_atoms(text) if name not in atoms]
    if missing:
        raise MissingAtom(missing[0])
    try:
        rendered: str = compiled(text).render(atoms)
    except UndefinedError as error:
        raise MissingAtom(error.message or "unknown") from error
    if len(rendered) > MAX_RENDERED_CHARS:
        raise SecurityError("the rendered text is longer than 64 KiB")
    return rendered.strip()


@lru_cache(maxsize=512)
def needed_atoms(text: str) -> tuple[str, ...]:
    """Return the atoms that a note cannot do without: those used outside `default(...)` and `is defined`."""
    tree = ENVIRONMENT.parse(text)
    optional = {
        node.node.name
        for node in tree.find_all((nodes.Filter, nodes.Test))
        if node.name in ("default", "d", "defined") and isinstance(node.node, nodes.Name)
    }
    return tuple(sorted(meta.find_undeclared_variables(tree) - optional))


@lru_cache(maxsize=512)
def unfilled(text: str) -> str:
    """Return a note as a prompt shows it: conditions taken as true, every atom as `[name]`."""
    names = meta.find_undeclared_variables(ENVIRONMENT.parse(text))
    rendered: str = compiled(text).render({name: f"[{name}]" for name in names})
    return rendered.strip()


class Prompts:
    """Renders the texts of one set of workflows: its partials, and the control tokens that the served tokenizer adds.

    Compiled texts are kept, so that a batch compiles each of them once.
    """

    def __init__(self, partials: Mapping[str, str], extra_tokens: tuple[str, ...] = ()) -> None:
        loader = DictLoader(dict(partials))
        self._environment = _environment(loader=loader, finalize=partial(_printed, extra=extra_tokens))
        self._texts: dict[str, Any] = {}
        self._conditions: dict[str, Any] = {}

    def render(self, text: str, facts: Callable[[], Mapping[str, Any]]) -> str:
        """Render a prompt text, once; the facts are asked for only where it names any. Raises RenderError."""
        if text not in self._texts:
            self._texts[text] = None if is_plain(text) else self._environment.from_string(text)
        template = self._texts[text]
        if template is None:
            return text.strip()
        pieces: list[str] = []
        size = 0
        try:
            for piece in template.generate(facts()):
                pieces.append(piece)
                size += len(piece.encode())  # half a character raises here
                if size > MAX_RENDERED_CHARS:
                    raise RenderError("the rendered text is longer than 64 KiB")
        except UndefinedError as error:
            raise _missing(error) from error
        except _FAILS as error:
            raise RenderError(f"{type(error).__name__}") from error
        return "".join(pieces).strip()

    def holds(self, condition: str, facts: Mapping[str, Any]) -> bool:
        """Say whether a `when:` condition is true. Raises RenderError."""
        try:
            if condition not in self._conditions:
                self._conditions[condition] = self._environment.compile_expression(condition, undefined_to_none=False)
            return bool(self._conditions[condition](**facts))
        except UndefinedError as error:
            raise _missing(error) from error
        except _FAILS as error:
            raise RenderError(f"{type(error).__name__}") from error


def is_plain(text: str) -> bool:
    """Say whether a text has no Jinja in it."""
    return "{{" not in text and "{%" not in text and "{#" not in text


def _printed(value: Any, extra: tuple[str, ...]) -> str:
    """Neutralise what a `{{ }}` prints, on one line: it must not look like a turn of its own. An undefined value raises here."""
    text = canonical_json(value) if type(value) in (dict, list, tuple) else str(value)
    return neutralise(one_line(text), extra)


def _missing(error: UndefinedError) -> RenderError:
    name = error.message or "something"
    atom = name.removeprefix("atoms.") if name.startswith("atoms.") else ""
    return RenderError(f"{name} is not there", missing_atom=atom)
