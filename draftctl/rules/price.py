"""W-PRICE: amounts and services in what the model is told."""

import re
from functools import lru_cache

from draftctl.chainset import PARTIALS
from draftctl.gates import price, services
from draftctl.gates.base import run_rules
from draftctl.rules.base import Found, Rule, Whole

_FORBIDS = re.compile(r"\b(?:no|not|never|nothing|nobody|without|neither|don't|do not)\b", re.IGNORECASE)


@lru_cache(maxsize=1024)
def _hit(line: str) -> str:
    """Say which gate a reply that echoes this line would meet, or nothing. A line that forbids services has to name them."""
    if run_rules(price.AMOUNTS, line):
        return "price"
    return "services" if not _FORBIDS.search(line) and run_rules(services.NAMED, line) else ""


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        for n, step in enumerate(workflow.steps):
            text = "" if step.verb == "check" else workflow.document.data["steps"][n][step.verb]
            for line, offset in _lines(text):
                if _hit(line):
                    path = ("steps", n, step.verb)
                    yield workflow.document.problem_in_text(path, text, offset, _message(line), "")
    for name, text in (*whole.canon.texts.items(), *((PARTIALS + n, t) for n, t in whole.chains.partials.items())):
        for line, offset in _lines(text):
            if _hit(line):
                yield whole.in_text(name, text, offset, _message(line))


def _lines(text: str) -> list[tuple[str, int]]:
    """Return the lines that are not blank, each with the place of its first character."""
    return [(found[0], found.start()) for found in re.finditer(r"\S[^\n]*", text)]


def _message(line: str) -> str:
    return f"gate {_hit(line)} would stop a reply that echoes this"


RULE = Rule(
    id="W-PRICE",
    title="An amount or a service in what the model is told",
    why="A model repeats what it is shown. The gates would hold the reply: each such candidate costs its time and waits for a person.",
    fix="Say it without: `no price` instead of an amount.",
    of_workspace=_check,
)
