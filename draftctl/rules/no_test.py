"""W-NOTEST: a workflow without tests."""

from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        if not workflow.tests:
            message = "nothing shows what this is to do; give it a test (`tests:`), `draftctl workflow test` runs it"
            yield workflow.document.problem(("id",), message, "", at_key=True)


RULE = Rule(
    id="W-NOTEST",
    title="A workflow without a test",
    why="The next change may break what this one was written for, and nobody would know.",
    fix="`tests:` with a message and what is expected; docs/workflows.md shows one. `--strict` makes this an error.",
    of_workspace=_check,
)
