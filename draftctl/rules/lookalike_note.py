"""E-LOOKALIKE: two notes whose keys look the same. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-LOOKALIKE",
    title="Two notes with the same number",
    why="⑰ and ⓱ are two keys; a person who types one and means the other would get another note.",
    fix='Keep one, and make the other an alias: `aliases: {"⓱": "⑰"}`.',
)
