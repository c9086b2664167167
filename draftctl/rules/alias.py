"""E-ALIAS: anchors, aliases and merge keys. Found while a file is read."""

from draftctl.rules.base import Rule

RULE = Rule(
    id="E-ALIAS",
    title="Anchors, aliases and merge keys are not used",
    why="What a file says would then stand somewhere else in it, and ten lines can grow to gigabytes.",
    fix='Write it out, or put a text that several steps share into workflows/partials/NAME.j2 and `{% include "NAME.j2" %}` it.',
)
