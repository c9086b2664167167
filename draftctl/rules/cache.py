"""W-CACHE: examples that differ from candidate to candidate, so that few share the beginning of their prompt."""

from draftctl.rules.base import Found, Rule, Whole
from draftctl.workflow import Workflow

_MANY = 50


def _sets(workflow: Workflow, whole: Whole) -> int:
    """Return how many sets of examples a batch may have under this workflow: one for each value of the fields that must match."""
    if workflow.examples is None or whole.grid is None:
        return 0
    cells = [
        cell
        for cell, choice in whole.grid.choices.items()
        if choice.winner is not None and choice.winner.id == workflow.id
    ]
    fields = {"archetype": "archetype", "state": "state", "templateKey": "template_key"}
    return len(
        {tuple(getattr(cell, fields[name]) for name in ("templateKey", *workflow.examples.match)) for cell in cells}
    )


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        sets = _sets(workflow, whole)
        if sets > _MANY:
            message = f"each of {sets} situations gets examples of its own, so few prompts begin alike and the server's prefix cache helps little"
            yield workflow.document.problem(("examples", "match"), message, "", at_key=True)


RULE = Rule(
    id="W-CACHE",
    title="Prompts that hardly begin alike",
    why="The server computes a shared beginning once for a batch; examples stand in it, so each set of them is another beginning.",
    fix="Match fewer fields (`match: [templateKey]`), or narrow the workflow. All else that changes (thread, facts, steps) comes after the shared part by itself.",
    of_workspace=_check,
)
