"""What a rule of `workflow lint` is, and what it is handed: one file's steps, one workflow file, or the whole workspace. Pure.

A rule says what is wrong and where (`subject.at(...)`); its id and whether that is an error (E-) or a warning (W-) are put to it here.
A file that an error stands in is not used: a run holds its candidates. So lint and run go by the same rules.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from draftctl.canon import Canon
from draftctl.chainset import PARTIALS, ChainSet
from draftctl.errors import Problem
from draftctl.experiment_file import ExperimentFile
from draftctl.jinja_check import TextProblem, condition_problems, included, named_in, prompt_problems
from draftctl.manifest import Manifest
from draftctl.routing import Grid
from draftctl.vocab import Vocab
from draftctl.workflow import Workflow
from draftctl.workflow_file import StepFile, WorkflowFile, verbs_of
from draftctl.yamlfile import Document, Path

CANDIDATE_FIELDS = ("id", "archetype", "state", "template_key", "mode", "received_at")
THREAD_FIELDS = ("id", "messages", "last")
Found = Iterator[Problem | None]


class Written:
    """One file with steps, as it is written: a workflow, or (`file` is None) the classifier's steps.

    `canon` and `vocab` are None where a file is looked at by itself: what it names is then not looked up.
    """

    def __init__(
        self,
        document: Document,
        steps: Sequence[StepFile],
        *,
        file: WorkflowFile | None = None,
        partials: Mapping[str, str] | None = None,
        canon: Canon | None = None,
        vocab: Vocab | None = None,
    ) -> None:
        self.document = document
        self.path = document.path
        self.steps = steps
        self.file = file
        self.partials = partials or {}
        self.canon = canon
        self.vocab = vocab

    def at(self, path: Path, message: str, *, key: bool = False, lacking: bool = False) -> Problem | None:
        """Return a problem at a value (or its key); None where that follows from what is reported already.

        `lacking` says that something is not there: perhaps it is, under a name that nobody knows.
        """
        if self.document.is_spoiled(path, below=lacking):
            return None
        return self.document.problem(path, message, "", at_key=key)

    def in_text(self, path: Path, text: str, offset: int, message: str) -> Problem | None:
        """Return a problem at a character of a text; None where the text is reported already."""
        if self.document.is_spoiled(path):
            return None
        return self.document.problem_in_text(path, text, offset, message, "")

    @cached_property
    def one_verb(self) -> list[tuple[int, str, StepFile]]:
        """Return the steps that have one verb, with their index and that verb; other rules look at no others."""
        return [(n, verbs_of(step)[0], step) for n, step in enumerate(self.steps) if len(verbs_of(step)) == 1]

    @cached_property
    def texts(self) -> list[tuple[Path, str]]:
        """Return the texts that a model is asked with, each with its place."""
        return [(("steps", n, verb), getattr(step, verb)) for n, verb, step in self.one_verb if verb != "check"]

    @cached_property
    def names(self) -> list[str]:
        """Return the name of what each step leaves."""
        return [step.name or f"{verb}{n + 1}" for n, verb, step in self.one_verb]

    @cached_property
    def partials_used(self) -> list[tuple[Path, str, str, int]]:
        """Return the partials that stand in the texts: the text's place, the text, the partial, and where it is named."""
        return [
            (path, text, name, max(text.find(name), 0))
            for path, text in self.texts
            for name in included(text)
            if name in self.partials
        ]

    @cached_property
    def text_problems(self) -> list[Problem]:
        """Return what is wrong in the Jinja of texts and conditions, under the rule that each breaks."""
        found = []
        left: dict[str, Sequence[str] | None] = {}
        names: list[str] = []
        for n, verb, step in self.one_verb:
            known = known_names(tuple(names), left)
            path: Path = ("steps", n, verb)
            if verb != "check":
                text = getattr(step, verb)
                found += self._placed(path, text, prompt_problems(text, known=known, partials=tuple(self.partials)))
                found += self._from_partials(path, text, known)
            if step.when is not None:
                found += self._placed(("steps", n, "when"), step.when, condition_problems(step.when, known=known))
            if verb not in ("draft", "check"):
                names.append(step.name or f"{verb}{n + 1}")
                properties = (step.json_schema or {}).get("properties")
                left |= {f"steps.{names[-1]}": tuple(properties)} if isinstance(properties, Mapping) else {}
        return [one for one in found if one is not None]

    def _placed(self, path: Path, text: str, problems: Iterable[TextProblem]) -> list[Problem | None]:
        placed = [(one, self.in_text(path, text, one.offset, one.message)) for one in problems]
        return [replace(at, rule=one.rule) for one, at in placed if at is not None]

    def _from_partials(self, path: Path, text: str, known: Mapping[str, Sequence[str] | None]) -> list[Problem | None]:
        """Say at the include what is wrong in the partial here: its own faults, and what is not there for it at this step."""
        found: list[Problem | None] = []
        for where, _, name, offset in self.partials_used:
            if where == path:
                for one in prompt_problems(self.partials[name], known=known, partials=()):
                    at = self.in_text(path, text, offset, f"{PARTIALS}{name}:{one.line}: {one.message}")
                    found.append(replace(at, rule=one.rule) if at is not None else None)
        return found

    def notes_named(self) -> Iterator[tuple[Path, str, str, int, str]]:
        """Yield the notes that texts and their partials name: place, text, note, where in the text, and in which partial line."""
        for path, text in self.texts:
            yield from ((path, text, key, offset, "") for key, offset in named_in(text, "pastebin"))
        for path, text, name, at in self.partials_used:
            partial = self.partials[name]
            for key, offset in named_in(partial, "pastebin"):
                yield path, text, key, at, f"{PARTIALS}{name}:{partial.count(chr(10), 0, offset) + 1}: "


def known_names(
    steps: Sequence[str] | None = None, left: Mapping[str, Sequence[str] | None] | None = None
) -> dict[str, Sequence[str] | None]:
    """Return what a text may name: `steps` are those before it (None: any)."""
    open_ended = {"steps": steps, "atoms": None, "pastebin": None}
    return {"candidate": CANDIDATE_FIELDS, "thread": THREAD_FIELDS, **open_ended, **(left or {})}


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The whole workspace, read; what is None could not be, and its reader says why. `chains` holds what can be used; `before` is another commit's workflows, where one was named (`ref`)."""

    files: Mapping[str, bytes]
    chains: ChainSet
    canon: Canon
    vocab: Vocab | None
    manifests: Mapping[str, Manifest]
    locked: Mapping[tuple[str, str], str] | None
    before: Mapping[str, Workflow]
    now: Mapping[str, Workflow]
    experiments: Sequence[tuple[Document, ExperimentFile]] = ()
    ref: str = ""

    @cached_property
    def grid(self) -> Grid | None:
        """Return every cell with what is chosen for it; None where the vocabulary cannot be read."""
        if self.vocab is None:
            return None
        return Grid.of(self.chains.entries, self.vocab.archetypes, self.vocab.states, tuple(self.canon.notes))

    def partial_problems(self, rule: str) -> Iterator[Problem]:
        """Yield what breaks one of the Jinja rules in the partials themselves, also in those that nothing includes."""
        for name, text in self.chains.partials.items():
            for one in prompt_problems(text, known=known_names(), partials=()):
                if one.rule == rule:
                    yield self.in_text(PARTIALS + name, text, one.offset, one.message)

    def in_text(self, path: str, text: str, offset: int, message: str) -> Problem:
        """Return a problem at a character of a text that is (about) the whole of a file."""
        content = self.files[path].decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        at = max(content.find(text), 0) + offset
        line = content.count("\n", 0, at)
        return self.at_line(path, message, line + 1, at - (content.rfind("\n", 0, at) + 1) + 1)

    def at_line(self, path: str, message: str, line: int = 1, column: int = 1) -> Problem:
        """Return a problem at a line and column (from 1) of any file."""
        lines = self.files.get(path, b"").decode(errors="replace").splitlines()
        return Problem(
            path=path,
            line=line,
            column=column,
            message=message,
            rule="",
            source=lines[line - 1] if line <= len(lines) else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: its id, what is wrong in a few words, what it would cost, what to do, and the checks.

    What `of_steps` and `of_file` find makes a file unusable. A rule without a check is found while a file is read.
    `cases/<id>.yaml` holds what breaks it and what does not.
    """

    id: str
    title: str
    why: str
    fix: str
    of_steps: Callable[[Written], Iterable[Problem | None]] | None = None
    of_file: Callable[[Written], Iterable[Problem | None]] | None = None
    of_workspace: Callable[[Whole], Iterable[Problem | None]] | None = None

    @property
    def severity(self) -> str:
        """Return `error` or `warning`."""
        return "warning" if self.id.startswith("W-") else "error"

    def run(self, check: Callable[[Any], Iterable[Problem | None]] | None, subject: Any) -> Iterator[Problem]:
        """Yield what one of its checks finds."""
        for problem in check(subject) if check else ():
            if problem is not None:
                yield replace(problem, rule=self.id, severity=self.severity)
