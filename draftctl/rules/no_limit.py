"""W-MAXCHARS: a draft without a written limit."""

from draftctl.rules.base import Found, Rule, Whole
from draftctl.workflow import has_limit


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        draft = workflow.steps[workflow.draft]
        if "max_chars" not in workflow.document.data["steps"][workflow.draft] and not has_limit(draft.text):
            message = f"no limit is written (<=320 chars), so {draft.max_chars} characters are allowed"
            yield workflow.document.problem(("steps", workflow.draft, "draft"), message, "")


RULE = Rule(
    id="W-MAXCHARS",
    title="No limit is written",
    why="The default is 640 characters, four segments of an SMS: long for a reply in a chat.",
    fix="`<=320 chars` in the draft's text, or `max_chars: 320` beside it.",
    of_workspace=_check,
)
