"""E-TYPE: text where a list should stand, and the like. Found while a file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-TYPE",
    title="Another kind of value is wanted here",
    why="Nothing is converted in silence: `archetypes: courteous` could mean a list of one, or nine letters.",
    fix="Write what the message asks for: a list `[a, b]`, keys with values, a number, or text.",
)
