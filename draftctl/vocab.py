"""`workflows/vocab.yaml`: the archetypes and states that this workspace knows. Template keys are the pastebin's own."""

from dataclasses import dataclass

from draftctl.errors import FileProblems, Problem, UsageError
from draftctl.file_model import Strict, validate
from draftctl.spelling import did_you_mean
from draftctl.yamlfile import parse_yaml

VOCAB = "workflows/vocab.yaml"


class VocabFile(Strict):
    """The whole of `workflows/vocab.yaml`."""

    archetypes: tuple[str, ...]
    states: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocab:
    """Who may write (archetypes) and where a thread may stand (states)."""

    archetypes: tuple[str, ...]
    states: tuple[str, ...]

    def unknown(self, kind: str, word: str) -> str | None:
        """Say that a word is not among the `archetypes` or `states`, and which was probably meant; None where it is."""
        allowed = self.archetypes if kind == "archetypes" else self.states
        return (
            None
            if word in allowed
            else f"'{word}' is not among the {kind} of {VOCAB}{did_you_mean(word, list(allowed))}"
        )

    def check(self, kind: str, word: str) -> str:
        """Return `word` if it is one of the archetypes or states; raise UsageError with the nearest one if not."""
        allowed = self.archetypes if kind == "archetype" else self.states
        if word not in allowed:
            raise UsageError(f"{word!r} is no {kind} of {VOCAB}{did_you_mean(word, list(allowed))}")
        return word


def parse_vocab(content: bytes | None) -> Vocab:
    """Read the vocabulary's bytes.

    Raises FileProblems with everything that is wrong in the file, also when there is none.
    """
    if content is None:
        message = "the file is missing; it lists the archetypes and states"
        raise FileProblems([Problem(path=VOCAB, line=1, column=1, message=message, rule="E-MISSING")])
    document = parse_yaml(content, VOCAB)
    file = validate(document, VocabFile)
    problems = [
        document.problem((kind, n), f"'{word}' stands twice", "E-DUP")
        for kind in ("archetypes", "states")
        for n, word in enumerate(getattr(file, kind))
        if word in getattr(file, kind)[:n]
    ]
    if problems:
        raise FileProblems(problems)
    return Vocab(archetypes=file.archetypes, states=file.states)
