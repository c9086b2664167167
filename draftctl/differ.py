"""What changed between two versions of a workflow: in words, step by step, and in what the model is told. Pure."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from draftctl.models import canonical_json
from draftctl.preview import Previewed
from draftctl.workflow import MatchSet, Step, Workflow

_CONTEXT_LINES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed: where (`step 2 think (plan)`, `engine`), in a few words, and the lines before and after."""

    where: str
    what: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    counts: bool = True  # whether it belongs to what the version stands for


def changes(old: Workflow, new: Workflow, partials: tuple[Mapping[str, str], Mapping[str, str]]) -> list[Change]:
    """Return everything that two versions of a workflow say differently; `partials` are those of the old and of the new one."""
    found = [*_head(old, new), *_sets(old.applies, new.applies), *_steps(old.steps, new.steps)]
    for name in sorted({*old.partials, *new.partials}):
        before, after = partials[0].get(name, ""), partials[1].get(name, "")
        if name in old.partials and name in new.partials and before != after:
            found.append(_text(f"partial {name}", before, after))
    return found


def _head(old: Workflow, new: Workflow) -> Iterator[Change]:
    for name, counts in (
        ("version", False),
        ("name", False),
        ("description", False),
        ("engine", True),
        ("priority", True),
        ("auto", True),
    ):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(where=name, what=f"{_short(before)} -> {_short(after)}", counts=counts)
    for name in ("context", "sampling", "examples"):
        before, after = _plain(old, name), _plain(new, name)
        if before != after:
            yield Change(where=name, what=f"{before or 'none'} -> {after or 'none'}")
    if old.tests != new.tests:
        yield Change(
            where="tests",
            what=f"{len(old.tests)} -> {len(new.tests)}" if len(old.tests) != len(new.tests) else "changed",
            counts=False,
        )


def _plain(workflow: Workflow, name: str) -> str:
    if name == "context":
        return ", ".join(
            f"{item.kind}{' ' + (item.name or ', '.join(item.keys)) if item.name or item.keys else ''}"
            for item in workflow.context
        )
    if name == "sampling":
        return ", ".join(f"{key} {value}" for key, value in workflow.sampling.items())
    rule = workflow.examples
    return f"{rule.most} that match {', '.join(rule.match)}, {rule.max_chars} characters" if rule else ""


def _sets(old: MatchSet, new: MatchSet) -> Iterator[Change]:
    for label, name in (("archetypes", "archetypes"), ("states", "states"), ("templateKeys", "template_keys")):
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if before is None or after is None:
            said = f"{_words(before)} -> {_words(after)}"
        else:
            said = ", ".join(
                [*(f"+ {word}" for word in sorted(after - before)), *(f"- {word}" for word in sorted(before - after))]
            )
        yield Change(where=label, what=said)


def _words(words: frozenset[str] | None) -> str:
    return "any" if words is None else ", ".join(sorted(words))


def _steps(old: Sequence[Step], new: Sequence[Step]) -> Iterator[Change]:
    """Compare steps that belong together: by name and verb, in order; what is left over was taken out, put in, or is another now."""
    a, b = [(step.verb, step.name) for step in old], [(step.verb, step.name) for step in new]
    for kind, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        pairs = min(j - i, m - k) if kind in ("equal", "replace") else 0
        for n in range(pairs):
            yield from _step(old[i + n], new[k + n], k + n + 1)
        for n in range(i + pairs, j):
            yield Change(
                where=f"step {n + 1} {old[n].verb} ({old[n].name})", what="taken out", before=_lines(_said(old[n]))
            )
        for n in range(k + pairs, m):
            yield Change(
                where=f"step {n + 1} {new[n].verb} ({new[n].name})", what="put in", after=_lines(_said(new[n]))
            )


def _said(step: Step) -> str:
    return step.text or ", ".join(step.gates)


def _step(old: Step, new: Step, n: int) -> Iterator[Change]:
    where = f"step {n} {new.verb} ({new.name})"
    if old.verb != new.verb:
        yield Change(where=where, what=f"{old.verb} -> {new.verb}")
    if old.name != new.name:
        yield Change(where=where, what=f"was called {old.name}")
    if _said(old) != _said(new):
        yield _text(where, _said(old), _said(new))
    for name in ("when", "max_tokens", "max_chars", "sampling", "schema", "options", "redrafts"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after and not (name == "max_tokens" and new.verb == "draft" and old.max_chars != new.max_chars):
            yield Change(where=where, what=f"{name} {_short(before)} -> {_short(after)}")


def _text(where: str, before: str, after: str) -> Change:
    return Change(where=where, what="text", before=_lines(before), after=_lines(after))


def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.splitlines())


def _short(value: Any) -> str:
    if value is None or value in ({}, (), ""):
        return "none"
    return value if isinstance(value, str) else canonical_json(value)


def change_lines(found: Sequence[Change]) -> list[str]:
    """Return changes as text, under one another."""
    lines: list[str] = []
    for change in found:
        aside = "" if change.counts else "  (needs no new version)"
        lines.append(f"{change.where}: {change.what}{aside}")
        lines += [f"    {line}" for line in text_diff(change.before, change.after)]
    return lines


def text_diff(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """Return the lines that differ, `-` and `+` before them, with a line around them; a gap is `...`."""
    lines = list(difflib.unified_diff(before, after, lineterm="", n=_CONTEXT_LINES))[2:]
    return ["..." if line.startswith("@@") else f"{line[0]} {line[1:]}" for line in lines[1:]] if lines else []


def rendered_diff(old: Sequence[Previewed], new: Sequence[Previewed]) -> list[tuple[str, list[str]]]:
    """Return, for each request that differs, its name and the lines that do. Each request is shown by what it adds to the one before."""
    found = []
    for n in range(max(len(old), len(new))):
        before, after = _added(old, n), _added(new, n)
        diff = text_diff(before, after)
        if diff:
            one = new[n] if n < len(new) else old[n]
            found.append((f"step {one.n} {one.verb}", diff))
    return found


def _added(requests: Sequence[Previewed], n: int) -> list[str]:
    if n >= len(requests):
        return []
    seen = len(requests[n - 1].messages) if n else 0
    return [
        line for message in requests[n].messages[seen:] for line in f"{message.role}:\n{message.content}".splitlines()
    ]
