"""E-DUP: something stands twice. Keys are found while a file is read; here, the words of `appliesTo`."""

from draftctl.rules.base import Found, Rule, Written


def _check(written: Written) -> Found:
    applies = written.file.applies_to if written.file else None
    for kind, field in (("archetypes", "archetypes"), ("states", "states"), ("templateKeys", "template_keys")):
        words = getattr(applies, field, ())
        for n, word in enumerate(words):
            if word in words[:n]:
                yield written.at(("appliesTo", kind, n), f"'{word}' stands twice")


RULE = Rule(
    id="E-DUP",
    title="Something stands twice",
    why="Of two equal keys most readers take one and drop the other without a word.",
    fix="Keep one of them.",
    of_file=_check,
)
