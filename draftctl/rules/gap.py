"""W-GAP: cells without a workflow. Gaps of the table of decisions are found by its own reader."""

from draftctl.rules.base import Found, Rule, Whole
from draftctl.vocab import VOCAB

_SHOWN = 3


def _check(whole: Whole) -> Found:
    if whole.grid is None or not whole.chains.entries:
        return
    gaps = whole.grid.where("none")
    if gaps:
        shown = "; ".join(cell.spelled for cell in gaps[:_SHOWN])
        more = f"; and {len(gaps) - _SHOWN} more" if len(gaps) > _SHOWN else ""
        message = f"{len(gaps)} of {len(whole.grid.choices)} cells have no workflow and hold on a model build: {shown}{more} (`draftctl workflow matrix` shows all)"
        yield whole.at_line(VOCAB, message)


RULE = Rule(
    id="W-GAP",
    title="Situations for which nothing is there",
    why="A candidate in such a situation holds: `no_workflow`, or `unclassified` where nothing decides its move.",
    fix="Widen a workflow or a decision, or write one for the rest: with no `appliesTo` it is for everything that no other one is for.",
    of_workspace=_check,
)
