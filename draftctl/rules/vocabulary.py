"""E-VOCAB: archetypes and states are those of workflows/vocab.yaml."""

from draftctl.rules.base import Found, Rule, Written


def _check(written: Written) -> Found:
    if written.file is None or written.vocab is None:
        return
    applies = written.file.applies_to
    for kind in ("archetypes", "states"):
        for n, word in enumerate(getattr(applies, kind)):
            unknown = written.vocab.unknown(kind, word)
            if unknown:
                yield written.at(("appliesTo", kind, n), unknown)
    for n, test in enumerate(written.file.tests):
        for kind, key, word in (("archetypes", "archetype", test.archetype), ("states", "state", test.state)):
            unknown = written.vocab.unknown(kind, word) if word is not None else None
            if unknown:
                yield written.at(("tests", n, key), unknown)


RULE = Rule(
    id="E-VOCAB",
    title="A word that the vocabulary does not have",
    why="Nobody is ever a `curteous`, so the workflow would be for nobody, and nobody would notice.",
    fix="Take the word that is meant, or add it to workflows/vocab.yaml.",
    of_file=_check,
)
