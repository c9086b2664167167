"""E-MISSING: a key or a file that must be there. Found while a file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-MISSING",
    title="Something that must be there is missing",
    why="There is no default that would be right.",
    fix="Add it. `draftctl workflow new ID` writes a workflow with all that it needs.",
)
