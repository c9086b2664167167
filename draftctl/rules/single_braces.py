"""W-BRACES: one pair of braces where two were meant, so that the model is told the braces."""

import re

from draftctl.rules.base import Found, Rule, Whole

_SINGLE = re.compile(r"(?<!\{)\{\s*(?:atoms|thread|steps|candidate|pastebin)\s*[.\[][^{}]*\}(?!\})")


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        for n, step in enumerate(workflow.steps):
            text = workflow.document.data["steps"][n].get(step.verb)
            for found in _SINGLE.finditer(text) if isinstance(text, str) else ():
                path = ("steps", n, step.verb)
                message = f"the model is told `{found[0]}` as it stands; a value needs two braces: {{{found[0]}}}"
                yield workflow.document.problem_in_text(path, text, found.start(), message, "")


RULE = Rule(
    id="W-BRACES",
    title="One pair of braces where two were meant",
    why="Nothing is filled in: the model reads the braces and the name, and may repeat them.",
    fix="Write {{ atoms.name }}.",
    of_workspace=_check,
)
