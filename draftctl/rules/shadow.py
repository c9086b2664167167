"""E-SHADOW: a workflow that is never chosen."""

from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    if whole.grid is None or not whole.grid.choices:
        return
    in_play: set[str] = set()
    beaten_by: dict[str, set[str]] = {}
    for choice in whole.grid.choices.values():
        in_play |= {entry.id for entry in choice.tied}
        if choice.winner is not None:
            in_play.add(choice.winner.id)
            for entry in choice.matching:
                beaten_by.setdefault(entry.id, set()).add(choice.winner.id)
    for workflow in whole.chains.workflows.values():
        if workflow.id not in in_play:
            winners = ", ".join(sorted(beaten_by.get(workflow.id, {"no cell of the vocabulary"})))
            message = f"{workflow.id} is never chosen: wherever it applies, another one wins ({winners})"
            yield workflow.document.problem(("appliesTo",), message, "", at_key=True)


RULE = Rule(
    id="E-SHADOW",
    title="A workflow that is never chosen",
    why="Somebody edits it, and nothing changes.",
    fix="Narrow the ones that win over it, or delete it. `draftctl workflow why` shows a cell.",
    of_workspace=_check,
)
