"""W-PRIORITY: a priority that decides nothing."""

from draftctl.rules.base import Found, Rule, Whole

_SEVERAL = 2


def _check(whole: Whole) -> Found:
    if whole.grid is None:
        return
    deciding = {
        entry.id for choice in whole.grid.choices.values() if len(choice.left) >= _SEVERAL for entry in choice.left
    }
    for workflow in whole.chains.workflows.values():
        if workflow.priority and workflow.id not in deciding:
            message = f"priority {workflow.priority} decides nothing: nowhere does another workflow apply equally"
            yield workflow.document.problem(("priority",), message, "")


RULE = Rule(
    id="W-PRIORITY",
    title="A priority that decides nothing",
    why="The narrower workflow wins by itself; a priority that is left over decides by surprise once something else changes.",
    fix="Leave it out.",
    of_workspace=_check,
)
