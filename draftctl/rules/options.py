"""E-OPTIONS: a choose has two or more different options."""

from draftctl.rules.base import Found, Rule, Written

_LEAST = 2


def _check(written: Written) -> Found:
    for n, verb, step in written.one_verb:
        options = step.options or ()
        if verb != "choose" or (written.file is None and not options and step.name in ("archetype", "state")):
            continue
        if len(options) < _LEAST or len(set(options)) < len(options) or not all(o.strip() == o and o for o in options):
            message = "a choose needs `options`: two or more different words, without blanks around them"
            yield written.at(("steps", n, "options"), message, lacking=not options)


RULE = Rule(
    id="E-OPTIONS",
    title="A choose without a choice",
    why="The server is told to answer with one of the options and nothing else.",
    fix="options: [warm, brisk]",
    of_steps=_check,
)
