"""E-LENGTH: a note that is longer than its limit. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-LENGTH",
    title="A note that is longer than its limit",
    why="It would hold as `over_length` for everybody.",
    fix="Shorten it, or raise its `max_chars`.",
)
