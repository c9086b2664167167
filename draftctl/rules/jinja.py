"""E-JINJA: a text that is no Jinja, or uses what may not be used here."""

from draftctl.rules.base import Found, Rule, Whole, Written


def _check(written: Written) -> Found:
    yield from (one for one in written.text_problems if one.rule == "E-JINJA")


def _check_partials(whole: Whole) -> Found:
    yield from whole.partial_problems("E-JINJA")


RULE = Rule(
    id="E-JINJA",
    title="A text that cannot be rendered",
    why="The candidate would hold at the moment when it is asked for.",
    fix="Every {{ ends with }} and every {% with %}. There are values, filters, `if`, one level of `for`, and `include`; no calls, no `set`, no `*`.",
    of_steps=_check,
    of_workspace=_check_partials,
)
