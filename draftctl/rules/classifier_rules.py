"""E-RULES: a classifier that says nothing of archetype or state. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-RULES",
    title="Nothing says the archetype or the state",
    why="A message that nobody classifies holds.",
    fix="Give rules for both, the last without a condition, or a `choose` with `as: archetype` and one with `as: state`.",
)
