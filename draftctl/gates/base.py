"""What a gate is: a name, where it stands, its rules, and the check that runs them. Pure.

A rule is a pattern over a normalised text (`text.readings`) with, optionally, the harmless phrases that it must let pass.
In a pattern a space stands for up to three characters that are no letter or digit, or none: `kill myself` meets `kill-myself`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from draftctl.gates.text import readings, windows

Side = Literal["inbound", "body"]
GAP = r"[\W_]{0,3}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing that a gate looks for, and the harmless phrases around it that pass."""

    id: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None

    def hits(self, text: str) -> bool:
        """Say whether the text has the pattern outside every harmless phrase."""
        if self.pattern.search(text) is None:
            return False
        if self.unless is None:
            return True
        harmless = [match.span() for match in self.unless.finditer(text)]
        return any(
            not any(start < match.end() and match.start() < end for start, end in harmless)
            for match in self.pattern.finditer(text)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a body answers: the thread's inbound texts, what was sent in it and what is drafted in it beside, and what is known (atoms).

    Atoms that are None are not asked about: a person's own text may say what only that person knows.
    """

    inbound: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()
    drafted: tuple[str, ...] = ()
    atoms: Mapping[str, Any] | None = None


NOTHING = Around()


class Check(Protocol):
    """Runs a gate's rules on one text; returns the id of the rule that stops, or None."""

    def __call__(self, text: str, side: Side, around: Around = NOTHING, /) -> str | None:
        """Look at a text and, where the gate needs it, at what is around it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A safety gate: why it is there, in a sentence, and its check.

    `raises_alert`: a hit on the inbound is also an alert, and stays with the person. `contextual`: it judges a body by what is around it.
    """

    name: str
    version: int
    why: str
    sides: frozenset[Side]
    check: Check
    raises_alert: bool = False
    contextual: bool = False


def rule(rule_id: str, *phrases: str, unless: str = "", whole_words: bool = True) -> Rule:
    """Make a rule from phrases (regular expressions in which a space is a gap)."""
    return Rule(
        id=rule_id,
        pattern=_compile("|".join(phrases), whole_words=whole_words),
        unless=_compile(unless) if unless else None,
    )


def _compile(pattern: str, *, whole_words: bool = True) -> re.Pattern[str]:
    pattern = pattern.replace(" ", GAP)
    return re.compile(rf"(?<![^\W_])(?:{pattern})(?![^\W_])" if whole_words else f"(?:{pattern})")


def run_rules(rules: tuple[Rule, ...], text: str) -> str | None:
    """Return the id of the first rule that hits any reading of the text."""
    for window in windows(text):
        for reading in readings(window):
            for each in rules:
                # Nearly every text is no hit, and a batch asks this a hundred times a candidate: the plain search comes first.
                if each.pattern.search(reading) is not None and each.hits(reading):
                    return each.id
    return None


def rules_gate(
    name: str,
    why: str,
    *,
    inbound: tuple[Rule, ...] = (),
    body: tuple[Rule, ...] = (),
    version: int = 1,
    raises_alert: bool = False,
) -> Gate:
    """Make a gate that runs one list of rules on the inbound and one on the body."""
    sides: set[Side] = set()
    if inbound:
        sides.add("inbound")
    if body:
        sides.add("body")

    def check(text: str, side: Side, _around: Around = NOTHING, /) -> str | None:
        return run_rules(inbound if side == "inbound" else body, text)

    return Gate(name=name, version=version, why=why, sides=frozenset(sides), check=check, raises_alert=raises_alert)
