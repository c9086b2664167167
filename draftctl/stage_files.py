"""The stages of a run, read from what is committed: the classifier, the table of decisions, and the build that classifies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from draftctl.canon import Canon
from draftctl.chain import ChainDeps
from draftctl.chainset import engine_is
from draftctl.classifier import CLASSIFY, Classifier, parse_classifier
from draftctl.context import gather
from draftctl.decisions import DECISIONS, parse_decisions
from draftctl.engine_id import TEMPLATE, parse_build
from draftctl.engines.base import Engine
from draftctl.errors import FileProblems, Problem
from draftctl.manifest import Manifest, engine_ids, manifest_path, parse_manifest
from draftctl.models import Held
from draftctl.rendering import Facts, Prompts
from draftctl.stages import Asking, Stages
from draftctl.vocab import VOCAB, Vocab, parse_vocab
from draftctl.workflow import read_partials

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the stages are read with: the run's files, its canon, whose voice it is, whether anything is committed, and its engine."""

    files: Mapping[str, bytes]
    canon: Canon
    persona: str
    notes: Facts
    versioned: bool
    engine: Engine
    make_engine: Callable[[str, Manifest | None], Engine]


def read_stages(reading: Reading) -> Stages:
    """Read the stages. A file that is wrong holds the candidates that need it, with its first problem; one that is not there does nothing."""
    wrong: dict[str, Held] = {}
    vocab = _tried("classify", wrong, lambda: parse_vocab(reading.files.get(VOCAB)))
    if vocab is None:
        missing = wrong.pop("classify")
        needed = {"classify": CLASSIFY, "decisions": DECISIONS}
        return Stages(wrong={name: missing for name, path in needed.items() if path in reading.files})
    partials = _partials(reading.files)
    classifier, decisions = None, None
    if CLASSIFY in reading.files:
        classifier = _tried(
            "classify", wrong, lambda: parse_classifier(reading.files[CLASSIFY], reading.canon, vocab, partials)
        )
    if DECISIONS in reading.files:
        decisions = _tried("decisions", wrong, lambda: parse_decisions(reading.files[DECISIONS], reading.canon, vocab))
    asking = None
    if classifier is not None and classifier.workflow is not None:
        found = _asking(reading, classifier, partials)
        if isinstance(found, Held):
            wrong["classify"] = found
        else:
            asking = found
    return Stages(classifier=classifier, decisions=decisions, asking=asking, wrong=wrong)


def _tried(name: str, wrong: dict[str, Held], parse: Callable[[], Parsed]) -> Parsed | None:
    try:
        return parse()
    except FileProblems as error:
        wrong[name] = Held(reason="workflow_invalid", detail=_place(error.problems[0]))
        return None


def _place(problem: Problem) -> str:
    return f"{problem.path}:{problem.line}:{problem.column}: {problem.rule}"


def _partials(files: Mapping[str, bytes]) -> dict[str, str]:
    try:
        return read_partials(files)
    except FileProblems:
        return {}  # whoever includes one is told that it is not there


def _asking(reading: Reading, classifier: Classifier, partials: Mapping[str, str]) -> Asking | Held:
    """Return what asks the build that classifies, or why nobody can be asked."""
    workflow = classifier.workflow
    if workflow is None or not reading.versioned:
        return Held(reason="unversioned", detail="nothing is committed here")
    engine_id = build_for(classifier.engine, reading.engine.id, reading.files)
    if engine_id is None:
        detail = f"{CLASSIFY} is for {classifier.engine}, and engines/ has no such build"
        return Held(reason="engine_mismatch", detail=detail)
    try:
        manifest = parse_manifest(reading.files[manifest_path(engine_id)], manifest_path(engine_id))
    except FileProblems as error:
        return Held(reason="engine_mismatch", detail=_place(error.problems[0]))
    engine = reading.engine if engine_id == reading.engine.id else reading.make_engine(engine_id, manifest)
    deps = ChainDeps(
        engine=engine,
        prompts=Prompts(dict(partials), manifest.special_tokens),
        context_role=manifest.serve.context_role,
        sampling=manifest.sampling.model_dump(exclude_none=True),
        extra_tokens=manifest.special_tokens,
        notes=reading.notes,
        body_hits=lambda _body, _names: [],
    )
    return Asking(deps=deps, context=gather(workflow, None, reading.canon, partials, manifest, reading.persona))


def build_for(pattern: str, active: str, files: Mapping[str, bytes]) -> str | None:
    """Return the build that classifies: the run's own engine where it is meant; where that is the notes, the newest that is meant and not retired."""
    if engine_is(pattern, active):
        return active
    if active != TEMPLATE:
        return None  # one server serves one build: a run on this one cannot ask another
    meant = sorted((id_ for id_ in engine_ids(files) if engine_is(pattern, id_)), key=parse_build)
    usable = [engine_id for engine_id in meant if not _retired(files[manifest_path(engine_id)], engine_id)]
    return usable[-1] if usable else None


def _retired(content: bytes, engine_id: str) -> bool:
    try:
        return parse_manifest(content, manifest_path(engine_id)).status == "retired"
    except FileProblems:
        return False


def classifying_build(files: Mapping[str, bytes], canon: Canon, active: str) -> str | None:
    """Return the build that the committed classifier asks, where that is another than the run's engine; None where it asks none."""
    if CLASSIFY not in files:
        return None
    try:
        vocab: Vocab = parse_vocab(files.get(VOCAB))
        classifier = parse_classifier(files[CLASSIFY], canon, vocab, _partials(files))
    except FileProblems:
        return None
    return build_for(classifier.engine, active, files) if classifier.asks_model else None
