"""E-TOKEN: text that a tokenizer would read as one of its own control tokens."""

from draftctl.chainset import PARTIALS
from draftctl.control_tokens import find_control_token
from draftctl.rules.base import Found, Rule, Whole, Written


def _message(token: str) -> str:
    return f"{token!r} looks like a model's control token; write it apart"


def _check(written: Written) -> Found:
    for path, text in written.texts:
        token = find_control_token(text)
        if token:
            yield written.in_text(path, text, text.find(token), _message(token))


def _check_partials(whole: Whole) -> Found:
    for name, text in whole.chains.partials.items():
        token = find_control_token(text)
        if token:
            yield whole.in_text(PARTIALS + name, text, text.find(token), _message(token))


RULE = Rule(
    id="E-TOKEN",
    title="A model's control token stands in a text",
    why="On the server it would end the message, or start another in somebody else's name.",
    fix="Leave it out, or put a blank into it: `< |im_end|>`.",
    of_steps=_check,
    of_workspace=_check_partials,
)
