"""E-JINJA: a text that is no Jinja, or uses what may not be used here."""

from draftctl.chainset import PARTIALS
from draftctl.jinja_check import prompt_problems
from draftctl.rules.base import Found, Rule, Whole, Written, known_names


def _check(written: Written) -> Found:
    yield from (one for one in written.text_problems if one.rule == "E-JINJA")


def _check_partials(whole: Whole) -> Found:
    """Look at the partials themselves, also at those that nothing includes."""
    for name, text in whole.chains.partials.items():
        for one in prompt_problems(text, known=known_names(), partials=()):
            if one.rule == "E-JINJA":
                yield whole.in_text(PARTIALS + name, text, one.offset, one.message)


RULE = Rule(
    id="E-JINJA",
    title="A text that cannot be rendered",
    why="The candidate would hold at the moment when it is asked for.",
    fix="Every {{ ends with }} and every {% with %}. There are values, filters, `if`, one level of `for`, and `include`; no calls, no `set`, no `*`.",
    of_steps=_check,
    of_workspace=_check_partials,
)
