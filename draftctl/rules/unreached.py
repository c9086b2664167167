"""W-UNREACHED: a decision that is never chosen. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="W-UNREACHED",
    title="A decision that is never chosen",
    why="Somebody edits it, and nothing changes.",
    fix="Narrow the ones that win over it, or delete it; `draftctl decisions matrix` shows the table.",
)
