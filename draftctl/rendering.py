"""Jinja, kept small: one sandboxed pass, inbound text only ever a variable, what is missing is an error. Pure.

The sandbox is ImmutableSandboxedEnvironment with `*` and `**` intercepted (`'a' * 10**9` costs 16 s and 1 GB without that), no
calls, no globals, and only filters whose output is about as long as their input. Notes fill in atoms; prompts also see the
thread, the notes and what earlier steps left, and everything that they print goes through the neutraliser.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from jinja2 import DictLoader, StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from draftctl.control_tokens import neutralise, one_line
from draftctl.models import Atom, canonical_json

RENDERER_VERSION = "2"
MAX_RENDERED_CHARS = 64 * 1024
_FILTERS = frozenset(
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
_Path = tuple[str, ...]


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
    for name in set(environment.filters) - _FILTERS:
        del environment.filters[name]
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


@lru_cache(maxsize=512)
def unfilled(text: str) -> str:
    """Return a note as a prompt shows it: conditions taken as true, every atom as `[name]`."""
    names = meta.find_undeclared_variables(_ENVIRONMENT.parse(text))
    rendered: str = _compiled(text).render({name: f"[{name}]" for name in names})
    return rendered.strip()


def syntax_error(text: str) -> tuple[int, str] | None:
    """Return the line (from 1) and the message of a note's first Jinja error, or None."""
    try:
        tree = _ENVIRONMENT.parse(text)
        forbidden = next(_forbidden(tree), None)
        if forbidden is not None:
            return forbidden[0], forbidden[1].replace("in a prompt", "in a note")
        _compiled(text)
    except TemplateSyntaxError as error:
        return error.lineno, _in_words(error.message or "not a Jinja text")
    except (SyntaxError, RecursionError, ValueError, OverflowError, MemoryError):
        return 1, "this is nested too deeply, or a number in it is too large"
    for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends, nodes.Call, nodes.For):
        found = tree.find(kind)
        if found is not None:
            return (
                found.lineno,
                f"`{kind.__name__.lower()}` may not be used in a note; a note has atoms and conditions only",
            )
    return None


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
            self._texts[text] = None if _is_plain(text) else self._environment.from_string(text)
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
        if condition not in self._conditions:
            self._conditions[condition] = self._environment.compile_expression(condition, undefined_to_none=False)
        try:
            return bool(self._conditions[condition](**facts))
        except UndefinedError as error:
            raise _missing(error) from error
        except _FAILS as error:
            raise RenderError(f"{type(error).__name__}") from error


def _is_plain(text: str) -> bool:
    return "{{" not in text and "{%" not in text and "{#" not in text


def _printed(value: Any, extra: tuple[str, ...]) -> str:
    """Neutralise what a `{{ }}` prints, on one line: it must not look like a turn of its own. An undefined value raises here."""
    text = canonical_json(value) if type(value) in (dict, list, tuple) else str(value)
    return neutralise(one_line(text), extra)


def _missing(error: UndefinedError) -> RenderError:
    name = error.message or "something"
    atom = name.removeprefix("atoms.") if name.startswith("atoms.") else ""
    return RenderError(f"{name} is not there", missing_atom=atom)


def prompt_problems(
    text: str, *, known: Mapping[str, Sequence[str] | None] | None, partials: Sequence[str]
) -> list[tuple[int, str]]:
    """Return everything that is wrong with a prompt text, each with its line (from 1).

    `known` lists the names that the text may use and, where they are closed, what each holds (None: not checked).
    """
    try:
        tree = _ENVIRONMENT.parse(text)
        problems = [*_forbidden(tree), *_wrong_includes(tree, partials)]
        if not problems:
            _ENVIRONMENT.from_string(text)  # only now: compiling already works out what is constant
    except TemplateSyntaxError as error:
        return [(error.lineno, _in_words(error.message or "not a Jinja text"))]
    except (SyntaxError, RecursionError, ValueError, OverflowError, MemoryError):
        return [(1, "this is nested too deeply, or a number in it is too large")]
    return problems or list(_unknown_names(tree, known) if known else ())


def _in_words(message: str) -> str:
    """Add to a parser's message what its writer probably meant."""
    if "got '='" in message:
        return f"{message}; `==` compares"
    if message.startswith(("unexpected end of template", "unexpected '}'")):
        return f"{message}; every {{{{ ends with }}}} and every {{% with %}}"
    return message


def condition_problems(text: str, *, known: Mapping[str, Sequence[str] | None]) -> list[tuple[int, str]]:
    """Return everything that is wrong with a `when:` condition."""
    if "{{" in text or "{%" in text:
        return [(1, "a condition is an expression, without {{ }}")]
    return prompt_problems("{{ (" + text + ") }}", known=known, partials=())


def _forbidden(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    for kind in (nodes.Import, nodes.FromImport, nodes.Extends, nodes.Call, nodes.Macro, nodes.CallBlock, nodes.Block):
        for found in tree.find_all(kind):
            yield found.lineno, f"`{kind.__name__.lower()}` may not be used in a prompt; filters and conditions may"
    for operation in tree.find_all((nodes.Mul, nodes.Pow, nodes.Mod)):
        yield operation.lineno, "`*`, `**` and `%` may not be used in a prompt"
    for assigned in tree.find_all((nodes.Assign, nodes.AssignBlock)):
        yield assigned.lineno, "`set` may not be used in a prompt"
    for used in tree.find_all(nodes.Filter):
        if used.name not in _FILTERS:
            yield used.lineno, f"there is no filter `{used.name}` here; there are {', '.join(sorted(_FILTERS))}"
    for loop in tree.find_all(nodes.For):
        if any(inner is not loop for inner in loop.find_all(nodes.For)):
            yield loop.lineno, "a loop may not stand in another loop"


def _wrong_includes(tree: nodes.Template, partials: Sequence[str]) -> Iterator[tuple[int, str]]:
    for found in tree.find_all(nodes.Include):
        name = found.template.value if isinstance(found.template, nodes.Const) else None
        if not isinstance(name, str):
            yield found.lineno, 'an include names its file: {% include "NAME.j2" %}'
        elif name not in partials:
            there = f"; there are {', '.join(sorted(partials))}" if partials else ""
            yield found.lineno, f"there is no workflows/partials/{name} to include here{there}"


def included(text: str) -> list[str]:
    """Return the partials that a prompt text includes, each once, in order."""
    try:
        tree = _ENVIRONMENT.parse(text)
    except (TemplateSyntaxError, RecursionError, ValueError):
        return []
    names = [found.template.value for found in tree.find_all(nodes.Include) if isinstance(found.template, nodes.Const)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _unknown_names(tree: nodes.Template, known: Mapping[str, Sequence[str] | None]) -> Iterator[tuple[int, str]]:
    declared = meta.find_undeclared_variables(tree)
    for name in tree.find_all(nodes.Name):
        if name.ctx == "load" and name.name in declared and name.name not in known:
            yield name.lineno, f"`{name.name}` is not known here; there are {', '.join(sorted(known))}"
    yield from _without_a_key(tree, known)
    for path, line in (*_paths(tree), *_deep_paths(tree)):
        allowed = known.get(".".join(path[:-1]))
        if path[0] in declared and allowed is not None and path[-1] not in allowed:
            there = f"; there are {', '.join(allowed)}" if allowed else "; there is none yet"
            yield line, f"`{'.'.join(path)}` is not known here{there}"


def _without_a_key(tree: nodes.Template, known: Mapping[str, Sequence[str] | None]) -> Iterator[tuple[int, str]]:
    """Find names that are used whole, or with a key that only a run would know: nobody could say what was read."""
    dotted = [id(node.node) for node in tree.find_all(nodes.Getattr)]
    bracketed = [id(node.node) for node in tree.find_all(nodes.Getitem)]
    for name in tree.find_all(nodes.Name):
        if name.name == "pastebin" and name.ctx == "load" and id(name) not in (*dotted, *bracketed):
            yield name.lineno, '`pastebin` is not known here without a key: pastebin["①"]'
    for found in tree.find_all(nodes.Getitem):
        if isinstance(found.node, nodes.Name) and found.node.name in known and not isinstance(found.arg, nodes.Const):
            yield found.lineno, f"`{found.node.name}[...]` takes a name in quotes"


def named_in(text: str, root: str) -> list[tuple[str, int]]:
    """Return what a text names below `root` (`pastebin["x"]`, `atoms.x`), each with its line (from 1)."""
    try:
        return [(path[1], line) for path, line in _paths(_ENVIRONMENT.parse(text)) if path[0] == root]
    except (TemplateSyntaxError, RecursionError, ValueError):
        return []


def _deep_paths(tree: nodes.Template) -> Iterator[tuple[_Path, int]]:
    """Yield what a text names two levels down (`steps.when.day`)."""
    for dotted in tree.find_all(nodes.Getattr):
        inner = dotted.node
        if isinstance(inner, nodes.Getattr) and isinstance(inner.node, nodes.Name):
            yield (inner.node.name, inner.attr, dotted.attr), dotted.lineno


def _paths(tree: nodes.Template) -> Iterator[tuple[_Path, int]]:
    for dotted in tree.find_all(nodes.Getattr):
        if isinstance(dotted.node, nodes.Name):
            yield (dotted.node.name, dotted.attr), dotted.lineno
    for bracketed in tree.find_all(nodes.Getitem):
        if isinstance(bracketed.node, nodes.Name) and isinstance(bracketed.arg, nodes.Const):
            yield (bracketed.node.name, str(bracketed.arg.value)), bracketed.lineno
