"""E-VERB: a step has exactly one verb."""

from draftctl.rules.base import Found, Rule, Written
from draftctl.workflow_file import VERBS, verbs_of


def _check(written: Written) -> Found:
    for n, step in enumerate(written.steps):
        verbs = verbs_of(step)
        if len(verbs) != 1:
            more = f"; this one has {', '.join(verbs)}" if verbs else ""
            yield written.at(("steps", n), f"a step has exactly one of {', '.join(VERBS)}{more}", lacking=not verbs)
        elif written.file is None and verbs[0] in ("draft", "check", "critique"):
            message = f"a {verbs[0]} is about a reply; classifying has think, choose and extract"
            yield written.at(("steps", n), message)


RULE = Rule(
    id="E-VERB",
    title="A step with no verb, or with two",
    why="A step is one question to the model; which of two was asked could not be told from the draft.",
    fix="Make it two steps, or name the one verb: think, choose, extract, draft, check, critique.",
    of_steps=_check,
)
