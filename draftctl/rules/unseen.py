"""E-UNSEEN: characters that nobody sees, or that turn the writing round."""

import unicodedata

from draftctl.rules.base import Found, Rule, Whole
from draftctl.spelling import code_point, is_unseen
from draftctl.workflow import workflow_paths

_WHERE = ("workflows/partials/", "workflows/experiments/")


def _check(whole: Whole) -> Found:
    yield from _in_files(whole)
    yield from _in_escapes(whole)


def _in_escapes(whole: Whole) -> Found:
    """Find what a quoted text writes as an escape: in the file one sees that, in the prompt nobody sees it."""
    for workflow in whole.chains.workflows.values():
        for n, step in enumerate(workflow.steps):
            for char in dict.fromkeys(step.text):
                hidden = is_unseen(char) or (unicodedata.category(char) == "Cc" and char not in "\n\t")
                if hidden and not any(char in line for line in workflow.document.lines):
                    path = ("steps", n, step.verb)
                    yield workflow.document.problem(
                        path, f"{code_point(char)} is in this text, and nobody sees it there", ""
                    )


def _in_files(whole: Whole) -> Found:
    paths = [*workflow_paths(whole.files), *(path for path in whole.files if path.startswith(_WHERE))]
    for path in paths:
        text = whole.files[path].decode(errors="replace").removeprefix("\ufeff")
        if text.isascii():
            continue
        for n, line in enumerate(text.split("\n"), start=1):
            if line.isascii():
                continue
            for column, char in enumerate(line, start=1):
                if is_unseen(char):
                    yield whole.at_line(path, f"{code_point(char)} stands here, and nobody sees it", n, column)


RULE = Rule(
    id="E-UNSEEN",
    title="A character that nobody sees",
    why="Text that reads one way and is another hides changes from whoever reviews them.",
    fix="Delete the character; the message says where it stands.",
    of_workspace=_check,
)
