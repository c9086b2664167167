"""W-RULES: no rule for everybody who is left. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="W-RULES",
    title="No rule for everybody who is left",
    why="A message that meets none of the rules holds as `unclassified`.",
    fix="Add a last rule without a condition.",
)
