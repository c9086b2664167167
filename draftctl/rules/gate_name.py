"""E-CHECK: a check names gates that there are."""

from draftctl.gates import GATES
from draftctl.rules.base import Found, Rule, Written
from draftctl.spelling import did_you_mean

_NAMES = [gate.name for gate in GATES]


def _check(written: Written) -> Found:
    for n, verb, step in written.one_verb:
        for m, name in enumerate(step.check or () if verb == "check" else ()):
            if name not in _NAMES:
                yield written.at(("steps", n, "check", m), f"'{name}' is no gate{did_you_mean(name, _NAMES)}")


RULE = Rule(
    id="E-CHECK",
    title="There is no such gate",
    why="A check that looks for nothing passes everything.",
    fix="docs/gates.md lists them. All of them run on every reply, whatever a file lists.",
    of_steps=_check,
)
