"""E-GATE: a note that a gate stops. Found while the file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-GATE",
    title="A note that could never leave",
    why="With the template engine the note is the reply, and every reply passes the gates.",
    fix="Say it without what the gate looks for; docs/gates.md says what that is.",
)
