"""E-LOCK: a line of workflows.lock that is none. Found while it is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-LOCK",
    title="A line of workflows.lock that cannot be used",
    why="Most often two people gave the same version to different content, and Git marks both.",
    fix="Keep the line of the version that was used first; `draftctl workflow bump ID` gives the other the next.",
)
