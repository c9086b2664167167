"""W-EXAMPLE: a rule without an example. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="W-EXAMPLE",
    title="A rule without an example",
    why="Nothing shows what it is for, so nothing notices when it stops doing it.",
    fix='Give it an example: `yes: ["..."]`.',
)
