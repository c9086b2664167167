"""The cases of the rules: what breaks each and what does not, as data beside the rules; `--explain` and docs/lint.md are made of them.

A case changes one file of a small workspace (`_workspace.yaml`): `change` puts the second text in the place of the first, `text` replaces
the whole file, `file` names it (else workflows/hello.yaml), `also` adds files, `lock` changes a hash of the lock, `before` is another commit's file. In the text of an `err` case `^` stands right before the
character that the message must point at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files as package_files
from typing import Any

import yaml

from draftctl.errors import Problem
from draftctl.lint import lint_workspace
from draftctl.loading import readable
from draftctl.rules import RULES
from draftctl.rules.base import Rule
from draftctl.workflowlock import LOCK, write_lock

HELLO = "workflows/hello.yaml"
MARK = "^"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case: the workspace's files, which of them it is about, and (of an `err` case) where the message points, from 1."""

    rule: str
    name: str
    path: str
    files: Mapping[str, bytes]
    before: Mapping[str, bytes] | None = None
    line: int = 0
    column: int = 0
    says: str = ""

    def problems(self) -> list[Problem]:
        """Return what lint says of the case's workspace."""
        return lint_workspace(self.files, before=self.before, ref="main" if self.before else "")

    @property
    def source(self) -> str:
        """Return the file that it is about."""
        return self.files[self.path].decode(errors="replace")


@cache
def _data(name: str) -> Mapping[str, Any]:
    path = package_files("draftctl") / "rules" / "cases" / f"{name}.yaml"
    value: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return value


def err_cases(rule: Rule) -> list[Case]:
    """Return the cases that break a rule."""
    return [_case(rule, name, data, marked=True) for name, data in _data(rule.id)["err"].items()]


def ok_cases(rule: Rule) -> list[Case]:
    """Return the cases that look as if they broke it, and do not."""
    return [_case(rule, name, data, marked=False) for name, data in _data(rule.id)["ok"].items()]


def _case(rule: Rule, name: str, data: Mapping[str, Any], *, marked: bool) -> Case:
    workspace = {**_data("_workspace"), **data.get("also", {})}
    path = data.get("file", HELLO)
    text = data.get("text", workspace.get(path, ""))
    for old, new in [data["change"]] if "change" in data else data.get("changes", []):
        if text.count(old) != 1:
            raise ValueError(f"{rule.id} {name}: {old!r} stands {text.count(old)} times in {path}")
        text = text.replace(old, new)
    line, column = 0, 0
    if marked:
        at = text.index(MARK)
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        text = text.replace(MARK, "", 1)
    content = text.encode() if "bytes" not in data else bytes.fromhex(data["bytes"])
    files = {name: part.encode() for name, part in workspace.items()} | {path: content}
    before = {**files, HELLO: data["before"].encode()} if "before" in data else None
    files.setdefault(LOCK, _lock(files, data.get("lock", {})))
    return Case(
        rule=rule.id, name=name, path=path, files=files, before=before, line=line, column=column, says=data.get("says", "")
    )  # fmt: skip


def _lock(files: Mapping[str, bytes], otherwise: Mapping[str, str]) -> bytes:
    """Return a lock that has every version of the files, but for those that a case wants otherwise ('': not there)."""
    locked = {(w.id, w.version): otherwise.get(w.id, w.semantic_hash) for w in readable(files).values()}
    locked = {key: digest for key, digest in locked.items() if digest}
    return write_lock(locked).encode()


def explain(rule: Rule) -> str:
    """Return what a rule is about, with one case that breaks it and the message that it gets."""
    shown = [f"{rule.id}: {rule.title}.", "", rule.why, "", f"What to do: {rule.fix}", ""]
    case = err_cases(rule)[0]
    found = next(problem for problem in case.problems() if problem.rule == rule.id)
    return "\n".join([*shown, "For example:", "", *(f"    {line}" for line in str(found).splitlines())])


def lint_page() -> str:
    """Render docs/lint.md."""
    lines = [
        "# What `draftctl workflow lint` finds",
        "",
        "Made by `make docs` from the rules and their own cases; the messages are what lint says of them. An error (E-) makes a file unusable or a",
        "run unsafe, a warning (W-) may be meant so. `draftctl workflow lint --explain E-KEY` says the same in a terminal.",
        "",
        "| rule | |",
        "|---|---|",
        *(f"| [{rule.id}](#{rule.id.lower()}) | {rule.title} |" for rule in RULES),
    ]
    for rule in RULES:
        lines += ["", f"## {rule.id}", "", f"**{rule.title}.** {rule.why}", "", f"What to do: {rule.fix}", ""]
        lines += ["```text", *_examples(rule), "```"]
    return "\n".join(lines) + "\n"


def _examples(rule: Rule) -> Iterator[str]:
    for case in err_cases(rule)[:2]:
        found = next(problem for problem in case.problems() if problem.rule == rule.id)
        yield from str(replace(found, source=found.source.rstrip())).splitlines()
