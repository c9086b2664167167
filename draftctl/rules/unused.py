"""W-UNUSED: a partial that nothing includes."""

from draftctl.chainset import PARTIALS, unused_partials
from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    for name in unused_partials(whole.chains):
        yield whole.at_line(PARTIALS + name, "no workflow includes this")


RULE = Rule(
    id="W-UNUSED",
    title="A partial that nothing includes",
    why="Whoever edits it changes no prompt.",
    fix='`{% include "NAME.j2" %}` it, or delete it.',
    of_workspace=_check,
)
