"""E-ORDER: a rule that takes everybody stands before others. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-ORDER",
    title="Rules that are never reached",
    why="The first rule that applies decides, and this one applies to everybody.",
    fix="Put the rule without a condition last.",
)
