"""W-ALIAS: an alias of a note that is not there. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="W-ALIAS",
    title="An alias of a note that is not there",
    why="Whoever uses it gets nothing.",
    fix="Write the note, or delete the alias.",
)
