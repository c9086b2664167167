"""E-VERSION-LOCK: a version that the lock holds with other content."""

from draftctl.rules.base import Found, Rule, Whole
from draftctl.workflowlock import locked_otherwise


def _check(whole: Whole) -> Found:
    workflows = whole.chains.workflows
    for id_, detail in locked_otherwise(workflows.values(), whole.locked or {}).items():
        yield workflows[id_].document.problem(("version",), detail, "")


RULE = Rule(
    id="E-VERSION-LOCK",
    title="A changed workflow under its old version",
    why="All drafts of a version must have been told the same, or no number about it means anything.",
    fix="`draftctl save -m ...` counts the version up; so does `draftctl workflow bump ID`.",
    of_workspace=_check,
)
