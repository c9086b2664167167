"""What is wrong with a Jinja text, found without rendering it: each fault at its character, the names that it uses, what it includes. Pure."""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from jinja2 import TemplateSyntaxError, meta, nodes

from draftctl.rendering import ENVIRONMENT, FILTERS, compiled, is_plain
from draftctl.spelling import did_you_mean

_Path = tuple[str, ...]
_MOST = 20  # faults of one text that anybody reads


@dataclass(frozen=True, slots=True, kw_only=True)
class TextProblem:
    """One thing that is wrong in a text: under which rule, what, and where (the line from 1, the character from 0)."""

    rule: str
    message: str
    line: int
    offset: int


@dataclass(frozen=True, slots=True)
class _Fault:
    """A fault as the syntax tree knows it: the rule, the line, the message, and the word that it is about."""

    rule: str
    line: int
    message: str
    word: str = ""


def syntax_error(text: str) -> TextProblem | None:
    """Return a note's first Jinja error, or None."""
    found = next(iter(prompt_problems(text, known=None, partials=included(text))), None)
    if found is not None:
        return replace(found, message=found.message.replace("in a prompt", "in a note"))
    tree = _parsed(text)
    for kind, word in ((nodes.Include, "include"), (nodes.For, "for")):
        for node in tree.all(kind):
            message = f"`{word}` may not be used in a note; a note has atoms and conditions only"
            return _placed(text, [_Fault("E-JINJA", node.lineno, message, word)])[0]
    return None


def prompt_problems(
    text: str, *, known: Mapping[str, Sequence[str] | None] | None, partials: Sequence[str]
) -> list[TextProblem]:
    """Return everything that is wrong with a prompt text, each at its place in it.

    `known` lists the names that the text may use and, where they are closed, what each holds (None: not checked).
    """
    if is_plain(text):
        return []
    try:
        tree = _parsed(text)
        simple = tree.is_simple  # nearly every text: then only its filters and includes are left to look at
        faults = [*(_unknown_filters(tree) if simple else _forbidden(tree)), *_wrong_includes(tree, partials)]
        if not faults and not simple:
            compiled(text)  # only now: compiling already works out what is constant
    except TemplateSyntaxError as error:
        return [_syntax_problem(text, error)]
    except (SyntaxError, RecursionError, ValueError, OverflowError, MemoryError):
        message = "this is nested too deeply, or a number in it is too large"
        return [TextProblem(rule="E-JINJA", message=message, line=1, offset=_start(text, 1))]
    return _placed(text, faults or (_unknown_names(tree, known) if known else ()))[:_MOST]


@dataclass(frozen=True, slots=True)
class _Tree:
    """A text's syntax tree: its nodes by kind, how deep it is, and the names that it uses and does not make itself."""

    by_kind: Mapping[type[Any], Sequence[Any]]
    depth: int
    names: frozenset[str]

    def all(self, *kinds: type[Any]) -> Iterator[Any]:
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    @property
    def is_simple(self) -> bool:
        """Say whether it can be compiled without trying: values, filters and conditions, and nothing deep or large."""
        numbers = (node.value for node in self.all(nodes.Const) if isinstance(node.value, (int, float)))
        known = all(test.name in ENVIRONMENT.tests for test in self.all(nodes.Test))
        return (
            set(self.by_kind) <= _SIMPLE and self.depth < _SHALLOW and known and all(abs(n) < _LARGE for n in numbers)
        )


_SIMPLE = {
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Getitem, nodes.Const, nodes.If, nodes.CondExpr,
    nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand, nodes.Filter, nodes.Test, nodes.Include,
}  # fmt: skip
_SHALLOW, _LARGE = 30, 10**9


@lru_cache(maxsize=4096)
def _parsed(text: str) -> _Tree:
    tree = ENVIRONMENT.parse(text)
    found: dict[type[nodes.Node], list[nodes.Node]] = defaultdict(list)
    level: list[nodes.Node] = [tree]
    depth = 0
    while level:
        depth += 1
        for node in level:
            found[type(node)].append(node)
        level = [child for node in level for child in node.iter_child_nodes()]
    makes_names = any(name.ctx != "load" for name in found.get(nodes.Name, ()))  # type: ignore[attr-defined]
    names = meta.find_undeclared_variables(tree) if makes_names else {name.name for name in found.get(nodes.Name, ())}  # type: ignore[attr-defined]
    return _Tree(dict(found), depth, frozenset(names))


def _syntax_problem(text: str, error: TemplateSyntaxError) -> TextProblem:
    message = error.message or "not a Jinja text"
    offset = _start(text, error.lineno)
    named = re.fullmatch(r"(?P<what>unexpected char .+) at (?P<at>\d+)", message)
    tag = re.match(r"Encountered unknown tag '(?P<tag>\w+)'", message)
    block = re.search(r"innermost block that needs to be closed is '(?P<block>\w+)'", message)
    if named:
        offset, message = int(named["at"]), named["what"]
    elif tag:
        offset = text.find(tag["tag"], offset)
        message = f"there is no tag `{tag['tag']}`{did_you_mean(tag['tag'], _TAGS)}"
    elif block and message.startswith("Unexpected end"):
        offset = _unclosed(text, block["block"])
        message = f"this `{block['block']}` has no `end{block['block']}`"
    return TextProblem(
        rule="E-JINJA", message=_in_words(message), line=error.lineno, offset=min(max(offset, 0), len(text))
    )


_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "include")


def _unclosed(text: str, block: str) -> int:
    """Return where the last block of a kind begins that nothing ends."""
    opened: list[int] = []
    for found in re.finditer(rf"\{{%[-+]?\s*(?P<end>end)?{block}\b", text):
        if not found["end"]:
            opened.append(found.start())
        elif opened:
            opened.pop()
    return opened[-1] if opened else 0


def _start(text: str, line: int) -> int:
    """Return where a line's first Jinja begins that does not end in it, else the first, else its first character that is no blank."""
    lines = text.split("\n")
    number = min(line, len(lines)) - 1
    before = sum(len(one) + 1 for one in lines[:number])
    open_ended = re.search(r"\{\{(?!(?:(?!\{\{).)*\}\})|\{%(?!(?:(?!\{%).)*%\})", lines[number])
    found = open_ended or re.search(r"\{[{%#]", lines[number]) or re.search(r"\S", lines[number])
    return before + (found.start() if found else 0)


def _placed(text: str, faults: Iterable[_Fault]) -> list[TextProblem]:
    """Find each fault's word in the text; the second fault about a word of a line is about its second place, and so on."""
    faults = list(faults)
    if not faults:
        return []
    places: dict[tuple[int, str], list[int]] = defaultdict(list)
    at = 0
    for line, kind, value in ENVIRONMENT.lex(text):
        at = max(text.find(value, at), at)
        if kind in ("name", "operator", "string", "integer"):
            places[line, value.strip("\"'")].append(at)
        at += len(value)
    found = []
    for fault in faults:
        here = places.get((fault.line, fault.word), [])
        offset = here.pop(0) if here else _start(text, fault.line)
        found.append(TextProblem(rule=fault.rule, message=fault.message, line=fault.line, offset=offset))
    return sorted(dict.fromkeys(found), key=lambda one: one.offset)


def _in_words(message: str) -> str:
    """Add to a parser's message what its writer probably meant."""
    message = (message[:1].lower() + message[1:]).removesuffix(".")
    if "got '='" in message:
        return f"{message}; `==` compares"
    if message.startswith(("unexpected end of template", "unexpected '}'")):
        return f"{message}; every {{{{ ends with }}}} and every {{% with %}}"
    return message


_OPEN = "{{ ("


def condition_problems(text: str, *, known: Mapping[str, Sequence[str] | None]) -> list[TextProblem]:
    """Return everything that is wrong with a `when:` condition."""
    found = re.search(r"\{[{%]", text)
    if found:
        message = "a condition is an expression, without {{ }}"
        return [TextProblem(rule="E-JINJA", message=message, line=1, offset=found.start())]
    try:
        ENVIRONMENT.compile_expression(text)  # as a run does: `true) or (true` is whole only inside our brackets
    except TemplateSyntaxError as error:
        return [TextProblem(rule="E-JINJA", message=_in_words(error.message or "not a condition"), line=1, offset=0)]
    except (SyntaxError, RecursionError, ValueError, OverflowError, MemoryError):
        return [
            TextProblem(
                rule="E-JINJA", message="this is nested too deeply, or a number in it is too large", line=1, offset=0
            )
        ]
    problems = prompt_problems(f"{_OPEN}{text}) }}}}", known=known, partials=())
    return [replace(one, offset=min(max(one.offset - len(_OPEN), 0), len(text))) for one in problems]


def condition_names(text: str) -> set[str]:
    """Return the names that a `when:` condition goes by; none where it cannot be read."""
    try:
        return set(_parsed(f"{_OPEN}{text}) }}}}").names)
    except (TemplateSyntaxError, RecursionError, ValueError):
        return set()


_WORDS = {
    nodes.Import: "import",
    nodes.FromImport: "from",
    nodes.Extends: "extends",
    nodes.Call: "(",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.Block: "block",
}
_SIGNS = {nodes.Mul: "*", nodes.Pow: "**", nodes.Mod: "%"}


def _forbidden(tree: _Tree) -> Iterator[_Fault]:
    for kind, word in _WORDS.items():
        for found in tree.all(kind):
            message = f"`{kind.__name__.lower()}` may not be used in a prompt; filters and conditions may"
            yield _Fault("E-JINJA", found.lineno, message, word)
    for sign, word in _SIGNS.items():
        for operation in tree.all(sign):
            yield _Fault("E-JINJA", operation.lineno, "`*`, `**` and `%` may not be used in a prompt", word)
    for assigned in tree.all(nodes.Assign, nodes.AssignBlock):
        yield _Fault("E-JINJA", assigned.lineno, "`set` may not be used in a prompt", "set")
    yield from _unknown_filters(tree)
    yield from _unknown_tests(tree)
    for loop in tree.all(nodes.For):
        if any(inner is not loop for inner in loop.find_all(nodes.For)):
            yield _Fault("E-JINJA", loop.lineno, "a loop may not stand in another loop", "for")


def _unknown_filters(tree: _Tree) -> Iterator[_Fault]:
    for used in tree.all(nodes.Filter):
        if used.name not in FILTERS:
            message = f"there is no filter `{used.name}` here{did_you_mean(used.name, sorted(FILTERS))}"
            yield _Fault("E-JINJA", used.lineno, message, used.name)


def _unknown_tests(tree: _Tree) -> Iterator[_Fault]:
    for test in tree.all(nodes.Test):
        if test.name not in ENVIRONMENT.tests:
            message = f"there is no test `is {test.name}`{did_you_mean(test.name, sorted(ENVIRONMENT.tests))}"
            yield _Fault("E-JINJA", test.lineno, message, test.name)


def _wrong_includes(tree: _Tree, partials: Sequence[str]) -> Iterator[_Fault]:
    for found in tree.all(nodes.Include):
        name = found.template.value if isinstance(found.template, nodes.Const) else None
        if not isinstance(name, str):
            yield _Fault("E-JINJA", found.lineno, 'an include names its file: {% include "NAME.j2" %}', "include")
        elif name not in partials:
            message = f"there is no workflows/partials/{name} to include here{did_you_mean(name, sorted(partials))}"
            yield _Fault("E-JINJA", found.lineno, message, name)


def included(text: str) -> list[str]:
    """Return the partials that a prompt text includes, each once, in order."""
    if "include" not in text:
        return []
    try:
        tree = _parsed(text)
    except (TemplateSyntaxError, RecursionError, ValueError):
        return []
    names = [found.template.value for found in tree.all(nodes.Include) if isinstance(found.template, nodes.Const)]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def _unknown_names(tree: _Tree, known: Mapping[str, Sequence[str] | None]) -> Iterator[_Fault]:
    declared = tree.names
    roots = sorted(name for name in known if "." not in name)
    for name in tree.all(nodes.Name):
        if name.ctx == "load" and name.name in declared and name.name not in known:
            message = f"`{name.name}` is not known here{did_you_mean(name.name, roots)}"
            yield _Fault("E-UNDEF", name.lineno, message, name.name)
    yield from _without_a_key(tree, known)
    for path, line in (*_paths(tree), *_deep_paths(tree)):
        allowed = known.get(".".join(path[:-1]))
        if path[0] in declared and allowed is not None and path[-1] not in allowed:
            there = did_you_mean(path[-1], list(allowed)) if allowed else "; there is none yet"
            rule = "E-STEPREF" if path[0] == "steps" else "E-UNDEF"
            yield _Fault(rule, line, f"`{'.'.join(path)}` is not known here{there}", path[-1])


def _without_a_key(tree: _Tree, known: Mapping[str, Sequence[str] | None]) -> Iterator[_Fault]:
    """Find names that are used whole, or with a key that only a run would know: nobody could say what was read."""
    dotted = [id(node.node) for node in tree.all(nodes.Getattr)]
    bracketed = [id(node.node) for node in tree.all(nodes.Getitem)]
    for name in tree.all(nodes.Name):
        if name.name == "pastebin" and name.ctx == "load" and id(name) not in (*dotted, *bracketed):
            message = '`pastebin` is not known here without a key: pastebin["①"]'
            yield _Fault("E-UNDEF", name.lineno, message, "pastebin")
    for found in tree.all(nodes.Getitem):
        if isinstance(found.node, nodes.Name) and found.node.name in known and not isinstance(found.arg, nodes.Const):
            yield _Fault("E-JINJA", found.lineno, f"`{found.node.name}[...]` takes a name in quotes", found.node.name)


def named_in(text: str, root: str) -> list[tuple[str, int]]:
    """Return what a text names below `root` (`pastebin["x"]`, `atoms.x`), each with its character's place (from 0)."""
    if is_plain(text):
        return []
    try:
        paths = [(path[1], line) for path, line in _paths(_parsed(text)) if path[0] == root]
    except (TemplateSyntaxError, RecursionError, ValueError):
        return []
    faults = [_Fault("", line, name, name) for name, line in paths]
    return [(one.message, one.offset) for one in _placed(text, faults)]


_SURE_FILTERS = {"upper", "lower", "title", "capitalize", "trim", "default", "d", "string"}
_SURE_TESTS = {"defined", "undefined", "none"}


def renders_surely(text: str, extracts: Container[str], partials: Mapping[str, str]) -> bool:
    """Say whether a text that breaks no rule can be rendered whatever it is given, so that nobody needs to try: it prints and compares plainly.

    `extracts` are the steps whose fields were looked up already.
    """
    if is_plain(text):
        return True
    tree = _parsed(text)
    plain = tree.is_simple and all(used.name in _SURE_FILTERS for used in tree.all(nodes.Filter))
    plain = plain and all(test.name in _SURE_TESTS for test in tree.all(nodes.Test))
    plain = plain and all(op.op in ("eq", "ne") for compare in tree.all(nodes.Compare) for op in compare.ops)
    deep = [node for node in tree.all(nodes.Getattr, nodes.Getitem) if not isinstance(node.node, nodes.Name)]
    looked_up = [path for path, _ in _deep_paths(tree) if path[0] == "steps" and path[1] in extracts]
    included_too = all(renders_surely(partials.get(name, ""), extracts, {}) for name in included(text))
    return plain and len(deep) == len(looked_up) and included_too


def compared_with_numbers(text: str) -> set[str]:
    """Return the atoms that a text compares with a number."""
    if is_plain(text):
        return set()
    try:
        tree = _parsed(text)
    except (TemplateSyntaxError, RecursionError, ValueError):
        return set()
    found = set()
    for compare in tree.all(nodes.Compare):
        sides = [compare.expr, *(operand.expr for operand in compare.ops)]
        if any(isinstance(side, nodes.Const) and isinstance(side.value, (int, float)) for side in sides):
            found |= {side.attr for side in sides if isinstance(side, nodes.Getattr)}
    return found


def _deep_paths(tree: _Tree) -> Iterator[tuple[_Path, int]]:
    """Yield what a text names two levels down (`steps.when.day`)."""
    for dotted in tree.all(nodes.Getattr):
        inner = dotted.node
        if isinstance(inner, nodes.Getattr) and isinstance(inner.node, nodes.Name):
            yield (inner.node.name, inner.attr, dotted.attr), dotted.lineno


def _paths(tree: _Tree) -> Iterator[tuple[_Path, int]]:
    for dotted in tree.all(nodes.Getattr):
        if isinstance(dotted.node, nodes.Name):
            yield (dotted.node.name, dotted.attr), dotted.lineno
    for bracketed in tree.all(nodes.Getitem):
        if isinstance(bracketed.node, nodes.Name) and isinstance(bracketed.arg, nodes.Const):
            yield (bracketed.node.name, str(bracketed.arg.value)), bracketed.lineno
