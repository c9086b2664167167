"""W-LOCK: a version that the lock does not have yet."""

from draftctl.rules.base import Found, Rule, Whole
from draftctl.workflowlock import LOCK


def _check(whole: Whole) -> Found:
    if whole.locked is None:
        return
    for workflow in whole.chains.workflows.values():
        if (workflow.id, workflow.version) not in whole.locked:
            message = f"version {workflow.version} is not in {LOCK} yet; `draftctl workflow lock` adds it"
            yield workflow.document.problem(("version",), message, "")


RULE = Rule(
    id="W-LOCK",
    title="A version that is not locked yet",
    why="Until then only the database can say that its content was changed, and only where it has run.",
    fix="`draftctl save -m ...` locks and commits; `draftctl workflow lock` locks alone.",
    of_workspace=_check,
)
