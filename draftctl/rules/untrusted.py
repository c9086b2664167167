"""E-UNTRUSTED: what a person wrote does not decide which steps run."""

from draftctl.jinja_check import condition_names
from draftctl.rules.base import Found, Rule, Written


def _check(written: Written) -> Found:
    for n, _, step in written.one_verb:
        if step.when is not None and "thread" in condition_names(step.when):
            message = "what a person wrote must not decide which steps run; extract or choose first, and use that"
            yield written.in_text(("steps", n, "when"), step.when, step.when.find("thread"), message)


RULE = Rule(
    id="E-UNTRUSTED",
    title="A message decides which steps run",
    why="Whoever writes could then switch a step off by writing the right words.",
    fix="Let a choose or an extract say what is meant, and use its answer in `when:`.",
    of_steps=_check,
)
