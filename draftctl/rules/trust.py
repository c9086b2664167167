"""E-TRUST: a fact that nobody may claim of themselves. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-TRUST",
    title="A claim taken for a fact",
    why="`screened`, `verified` and `references` let a promise leave; a message that says so is a claim.",
    fix="Let a person or upstream say it.",
)
