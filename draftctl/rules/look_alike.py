"""W-LOOKALIKE: an alias where the note's own key could stand, and words with a letter of another alphabet in them."""

import re

from draftctl.canon import spell
from draftctl.rules.base import Found, Rule, Whole
from draftctl.spelling import code_point, mixed_scripts

_WORD = re.compile(r"\w+")


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        document = workflow.document
        for n, word in enumerate((document.data.get("appliesTo") or {}).get("templateKeys") or ()):
            if word in whole.canon.aliases:
                message = f"{spell(word)} is an alias; the note's own key is {spell(whole.canon.aliases[word])}"
                yield document.problem(("appliesTo", "templateKeys", n), message, "")
        for n, line in enumerate(document.lines):
            if line.isascii():
                continue
            for found in _WORD.finditer(line):
                char = mixed_scripts(found[0])
                if char:
                    message = f"'{found[0]}' has {code_point(char)} in it, which only looks like the Latin letter"
                    yield document.problem_at(n, found.start(), message, "")


RULE = Rule(
    id="W-LOOKALIKE",
    title="A character that only looks like the right one",
    why="To the model, to a search and to a comparison it is another word.",
    fix="Type the word again; take the note's own key.",
    of_workspace=_check,
)
