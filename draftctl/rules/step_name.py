"""E-STEPREF: the names of steps, and what later texts call them by."""

import re

from draftctl.rules.base import Found, Rule, Written

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _check(written: Written) -> Found:
    for (n, _, _step), name in zip(written.one_verb, written.names, strict=True):
        if not _NAME.fullmatch(name):
            yield written.at(("steps", n, "as"), f"'{name}' is no name (letters, digits, _)")
    seen: set[str] = set()
    for (n, _, _step), name in zip(written.one_verb, written.names, strict=True):
        if name in seen:
            yield written.at(("steps", n, "as"), f"a step before this one is '{name}' too")
        seen.add(name)
    yield from (one for one in written.text_problems if one.rule == "E-STEPREF")


RULE = Rule(
    id="E-STEPREF",
    title="A step is called by a name that it does not have",
    why="`steps.tone` is what the step named `tone` left; under another name there is nothing, and the candidate would hold.",
    fix="Use the name of an earlier step (`as`, else verb and number: think1). A step sees only those before it; an extract has the fields of its schema.",
    of_steps=_check,
)
