"""E-UNSEEN: characters that nobody sees, or that turn the writing round."""

from draftctl.rules.base import Found, Rule, Whole
from draftctl.spelling import code_point, is_unseen
from draftctl.workflow import workflow_paths

_WHERE = ("workflows/partials/", "workflows/experiments/")


def _check(whole: Whole) -> Found:
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
