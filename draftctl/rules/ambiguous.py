"""E-AMBIG: two workflows that apply equally, so that neither is used."""

from collections import Counter

from draftctl.rules.base import Found, Rule, Whole

_SHOWN = 3


def _check(whole: Whole) -> Found:
    """Report the ties of each workflow once, at the one that ties most: that is where something is to be changed."""
    if whole.grid is None:
        return
    by_tie: dict[tuple[str, ...], list[str]] = {}
    for cell in whole.grid.where("ambiguous"):
        tied = whole.grid.choices[cell].tied
        if not any(entry.broken for entry in tied):  # what is wrong with that file is told already
            by_tie.setdefault(tuple(entry.id for entry in tied), []).append(cell.spelled)
    workflows = whole.chains.workflows
    often = Counter(id_ for ids in by_tie for id_ in ids if id_ in workflows)
    by_workflow: dict[str, list[str]] = {}
    for ids, cells in sorted(by_tie.items()):
        mine = max((id_ for id_ in ids if id_ in often), key=lambda id_: (often[id_], id_), default=None)
        if mine is not None:
            others = ", ".join(id_ for id_ in ids if id_ != mine)
            more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
            by_workflow.setdefault(mine, []).append(f"{others} ({cells[0]}{more})")
    for id_, ties in by_workflow.items():
        more = f"; and {len(ties) - _SHOWN} more workflows" if len(ties) > _SHOWN else ""
        message = (
            f"{id_} and others apply equally, so neither is used: {'; '.join(ties[:_SHOWN])}{more}. "
            "Narrow it (list templateKeys too), or give it a `priority`"
        )
        yield workflows[id_].document.problem(("appliesTo",), message, "", at_key=True)


RULE = Rule(
    id="E-AMBIG",
    title="Two workflows apply equally",
    why="Which one would be chosen must not hang on the order of files: these candidates hold as `ambiguous_workflow`.",
    fix="Narrow one of them, write one for the situations that they share, or give one a `priority`. `draftctl workflow matrix` shows where.",
    of_workspace=_check,
)
