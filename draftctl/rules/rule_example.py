"""E-EXAMPLE: an example that goes another way. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-EXAMPLE",
    title="An example goes another way",
    why="A rule that no longer does what it was written for is an error, and no surprise in a month.",
    fix="Change the rule, its place, or the example; `draftctl classifier why --text ...` shows what decides.",
)
