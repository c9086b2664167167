"""E-MAXCHARS: a draft's limit is said once, and can be kept."""

from draftctl.rules.base import Found, Rule, Written
from draftctl.workflow import limits_in

_MOST = 2000


def _check(written: Written) -> Found:
    for n, verb, step in written.one_verb:
        if verb != "draft" or step.draft is None:
            continue
        limits = limits_in(step.draft)
        for offset, chars in limits:
            if not 1 <= chars <= _MOST:
                message = f"a reply has 1 to {_MOST} characters, not {chars}"
                yield written.in_text(("steps", n, "draft"), step.draft, offset, message)
        said = {chars for _, chars in limits}
        if step.max_chars is not None and said and said != {step.max_chars}:
            message = f"the text says {limits[-1][1]} characters, `max_chars` says {step.max_chars}; say it once"
            yield written.at(("steps", n, "max_chars"), message)
        elif len(said) > 1:
            offset, chars = limits[-1]
            message = f"the text says {limits[0][1]} characters and {chars}; say it once"
            yield written.in_text(("steps", n, "draft"), step.draft, offset, message)


RULE = Rule(
    id="E-MAXCHARS",
    title="Two limits, or one that cannot be kept",
    why="The model would be told one limit and held to another, and each redraft costs.",
    fix="Write it once: `<=320 chars` in the text, or `max_chars: 320` beside it.",
    of_steps=_check,
)
