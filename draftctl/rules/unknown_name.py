"""E-UNDEF: a text names what is not there."""

from draftctl.rules.base import Found, Rule, Whole, Written


def _check(written: Written) -> Found:
    yield from (one for one in written.text_problems if one.rule == "E-UNDEF")


def _check_partials(whole: Whole) -> Found:
    yield from whole.partial_problems("E-UNDEF")


RULE = Rule(
    id="E-UNDEF",
    title="A text names what is not there",
    why="What is missing is never a blank: the candidate would hold.",
    fix='A text may name candidate, thread, atoms.<name>, pastebin["①"] and steps.<name>. A fact about the person is an atom: {{ atoms.name }}.',
    of_steps=_check,
    of_workspace=_check_partials,
)
