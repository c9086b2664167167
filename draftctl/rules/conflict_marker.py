"""E-MARKER: what Git writes where two people changed the same lines, left in a text that the model is told."""

import re

from draftctl.chainset import PARTIALS
from draftctl.rules.base import Found, Rule, Whole

_MARKER = re.compile(r"^(?:<{7}|>{7}|\|{7})(?: |$)|^={7}$", re.MULTILINE)


def _check(whole: Whole) -> Found:
    for path, text in (*whole.canon.texts.items(), *((PARTIALS + n, t) for n, t in whole.chains.partials.items())):
        found = _MARKER.search(text)
        if found:
            yield whole.in_text(
                path,
                text,
                found.start(),
                f"`{found[0].strip()}` is a mark that Git left: two versions of the lines around it",
            )


RULE = Rule(
    id="E-MARKER",
    title="Two versions of one text, as Git left them",
    why="The model would be told both, and the marks.",
    fix="Keep the lines that are right, delete the marks, and `git add` the file.",
    of_workspace=_check,
)
