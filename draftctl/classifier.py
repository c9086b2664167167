"""`workflows/classify.yaml`: who writes, where the thread stands, and what is known of them. Pure.

The rules are ordered, and the first that applies decides; a rule without a condition is for everybody who is left. Their examples are
run whenever the file is read, so that a rule which no longer does what it was written for is an error and not a surprise.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from draftctl.canon import Canon
from draftctl.chainset import engine_is
from draftctl.classifier_file import RULES, ClassifyFile, ExampleFile, RuleFile, TakeFile, plain
from draftctl.errors import FileProblems, Problem
from draftctl.file_model import validate
from draftctl.loading import steps_problems
from draftctl.models import Candidate, canonical_json, is_known, sha256_text
from draftctl.phrases import PLACE, first_phrase, has_phrase, take
from draftctl.rules.base import Written
from draftctl.rules.engine import engine_fault
from draftctl.vocab import Vocab
from draftctl.workflow import MatchSet, Workflow, read_context, read_step
from draftctl.workflow_file import StepFile
from draftctl.yamlfile import Document, Path, parse_yaml

CLASSIFY = "workflows/classify.yaml"
TRUSTED = frozenset({"screened", "verified", "references"})  # what nobody may claim of themselves
Kind = Literal["archetypes", "states"]
KINDS: tuple[tuple[Kind, str], ...] = (("archetypes", "archetype"), ("states", "state"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the rules look at: all that they wrote, what of it we have not answered, where the thread stood, our texts in it, what is known."""

    texts: tuple[str, ...]
    unanswered: tuple[str, ...]
    was: str | None = None
    replies: int = 0
    atoms: frozenset[str] = frozenset()

    @classmethod
    def of(cls, candidate: Candidate, was: str | None, atoms: Mapping[str, Any]) -> "Situation":
        """Return a candidate's situation."""
        return cls(
            texts=candidate.inbound,
            unanswered=candidate.unanswered or candidate.inbound[-1:],
            was=was,
            replies=sum(1 for message in candidate.messages if message.role == "quinn"),
            atoms=frozenset(name for name, value in atoms.items() if is_known(value)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a rule says: the archetype or state, and which rule it was (its number from 1, and the phrase that met it)."""

    value: str
    rule: int
    phrase: str | None = None

    @property
    def where(self) -> str:
        """Name the rule; a phrase is the owner's own words, never a message's."""
        return f"rule {self.rule}" + (f", {self.phrase!r}" if self.phrase else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """The file, read. `workflow` is what a model is asked instead, as a workflow without a draft, where `engine` names a build."""

    engine: str
    compare: bool
    archetypes: tuple[RuleFile, ...]
    states: tuple[RuleFile, ...]
    takes: tuple[TakeFile, ...]
    workflow: Workflow | None
    document: Document

    @property
    def asks_model(self) -> bool:
        """Say whether a model build classifies, and not the rules."""
        return self.engine != RULES

    def rules(self, kind: Kind) -> tuple[RuleFile, ...]:
        """Return the rules for archetypes or for states, in order."""
        return self.archetypes if kind == "archetypes" else self.states

    def say(self, kind: Kind, situation: Situation) -> Said | None:
        """Return what the first rule that applies says."""
        for n, rule in enumerate(self.rules(kind), start=1):
            met = meets(rule, situation, kind)
            if met is not None:
                return Said(value=rule.says, rule=n, phrase=met or None)
        return None

    def found(self, texts: Sequence[str]) -> dict[str, str]:
        """Return the atoms that stand in what they wrote; what was written last counts."""
        atoms: dict[str, str] = {}
        for rule in self.takes:
            value = taken(rule, texts)
            if value is not None:
                atoms.setdefault(rule.atom, value)
        return atoms


def meets(rule: RuleFile, situation: Situation, kind: Kind) -> str | None:
    """Return the phrase with which a rule applies ('' where it has none), or None where it does not."""
    texts = situation.texts if kind == "archetypes" else situation.unanswered
    bounds = (
        (rule.min_replies, situation.replies, 1),
        (rule.max_replies, situation.replies, -1),
        (rule.min_messages, len(situation.texts), 1),
    )
    if any(bound is not None and sign * (number - bound) < 0 for bound, number, sign in bounds):
        return None
    if rule.was and situation.was not in rule.was:
        return None
    if not set(rule.atoms) <= situation.atoms or set(rule.without) & situation.atoms:
        return None
    if first_phrase(texts, rule.none) is not None or any(first_phrase(texts, [words]) is None for words in rule.all):
        return None
    if not rule.any:
        return ""
    return first_phrase(texts, rule.any)


def taken(rule: TakeFile, texts: Sequence[str]) -> str | None:
    """Return what one rule takes out of the texts, from the newest that has it."""
    refused = frozenset(word.casefold() for word in rule.never)
    for text in reversed(texts):
        if rule.take == "flag" and not has_phrase(text, *rule.find):
            continue
        for phrase in rule.find:
            found = take(text, phrase, rule.take, refused)
            if found is not None:
                return found.value
    return None


def parse_classifier(
    content: bytes, canon: Canon, vocab: Vocab, partials: Mapping[str, str] | None = None
) -> Classifier:
    """Read the file's bytes. Raises FileProblems with everything that is wrong in it, examples that go another way included."""
    classifier = read_classifier(content, canon, vocab, partials)
    problems = [problem for kind, _ in KINDS for problem in _example_problems(classifier, kind)]
    problems += _atom_examples(classifier)
    if problems:
        raise FileProblems(problems)
    return classifier


def read_classifier(
    content: bytes, canon: Canon, vocab: Vocab, partials: Mapping[str, str] | None = None
) -> Classifier:
    """Read the file's bytes without running its examples. Raises FileProblems."""
    document = parse_yaml(content, CLASSIFY)
    file = validate(document, ClassifyFile)
    problems = [
        *_rule_problems(document, file, vocab),
        *_take_problems(document, file),
        *_step_problems(document, file, vocab, canon, partials or {}),
    ]
    if problems:
        raise FileProblems(problems)
    return Classifier(
        engine=file.engine,
        compare=file.compare,
        archetypes=file.archetypes,
        states=file.states,
        takes=file.atoms,
        workflow=_workflow(document, file, vocab, partials or {}),
        document=document,
    )


def _rule_problems(document: Document, file: ClassifyFile, vocab: Vocab) -> Iterator[Problem]:
    for kind, _ in KINDS:
        rules: tuple[RuleFile, ...] = getattr(file, kind)
        if not rules and file.engine == RULES:
            message = f"without {kind} nobody can be classified: give rules, the last without a condition"
            yield document.problem((kind,) if kind in (document.data or {}) else (), message, "E-RULES")
        for n, rule in enumerate(rules):
            if _is_open(rule) and n + 1 < len(rules):
                message = f"this rule has no condition, so it takes everybody, and the {len(rules) - n - 1} after it are never reached"
                yield document.problem((kind, n), message, "E-ORDER")
            yield from _word_problems(document, rule, (kind, n), vocab)


def _word_problems(document: Document, rule: RuleFile, here: tuple[str, int], vocab: Vocab) -> Iterator[Problem]:
    unknown = vocab.unknown(here[0], rule.says)
    if unknown:
        yield document.problem((*here, "is"), unknown, "E-VOCAB")
    for key, words in (("any", rule.any), ("all", rule.all), ("none", rule.none)):
        for m, phrase in enumerate(words):
            if not phrase.strip(" *"):
                yield document.problem((*here, key, m), "a phrase needs a word", "E-VALUE")
    for m, state in enumerate(rule.was):
        unknown = vocab.unknown("states", state)
        if unknown:
            yield document.problem((*here, "was", m), unknown, "E-VOCAB")


def _is_open(rule: RuleFile) -> bool:
    bounds = (rule.min_replies, rule.max_replies, rule.min_messages)
    words = (rule.any, rule.all, rule.none, rule.was, rule.atoms, rule.without)
    return not any(words) and all(bound is None for bound in bounds)


def _take_problems(document: Document, file: ClassifyFile) -> Iterator[Problem]:
    for n, rule in enumerate(file.atoms):
        if rule.atom in TRUSTED:
            message = f"`{rule.atom}` is what a person or upstream says; nobody's own message may say it of them"
            yield document.problem(("atoms", n, "atom"), message, "E-TRUST")
        for m, phrase in enumerate(rule.find):
            message = _phrase_fault(phrase, flag=rule.take == "flag")
            if message:
                yield document.problem(("atoms", n, "find", m), message, "E-VALUE")


def _phrase_fault(phrase: str, *, flag: bool) -> str:
    """Say why a phrase cannot take anything out of a text, or nothing."""
    has_word = bool(phrase.replace(PLACE, "").strip(" *"))
    if flag:
        return "" if has_word and PLACE not in phrase else f"a flag is the words alone, without `{PLACE}`"
    if has_word and phrase.count(PLACE) == 1 and PLACE in phrase.split():
        return ""
    return f"a phrase has `{PLACE}` once, where the value stands, and a word beside it: 'my name is {PLACE}'"


def _step_problems(
    document: Document, file: ClassifyFile, vocab: Vocab, canon: Canon, partials: Mapping[str, str]
) -> Iterator[Problem]:
    if file.engine == RULES:
        if file.steps:
            message = "the steps are asked of a model build; name it (`engine: do-gpu-...`)"
            yield document.problem(("steps",), message, "E-ENGINE", at_key=True)
        return
    yield from (document.problem(("engine",), fault, "E-ENGINE") for fault in [engine_fault(file.engine)] if fault)
    if not file.steps:
        yield document.problem(("engine",), "a build needs `steps` to be asked", "E-KEY")
    steps = tuple(_with_options(step, vocab) for step in file.steps)
    yield from steps_problems(Written(document, steps, partials=partials, canon=canon))
    yield from read_context(document, file.context)[1]
    for n, step in enumerate(steps):
        kind = next((kind for kind, one in KINDS if one == step.name), None)
        for m, option in enumerate(step.options or () if kind else ()):
            unknown = vocab.unknown(kind or "", option)
            if unknown:
                yield document.problem(("steps", n, "options", m), unknown, "E-VOCAB")
        for name in (step.json_schema or {}).get("properties") or {} if step.extract is not None else ():
            if name in TRUSTED:
                message = f"`{name}` is what a person or upstream says; nobody's own message may say it of them"
                yield document.problem(("steps", n, "schema"), message, "E-TRUST")
    missing = _unsaid(file, steps) if file.steps else []
    if missing:
        message = f"nothing says the {' and the '.join(missing)}: add `choose` with `as: {missing[0]}`, or rules"
        yield document.problem(("steps",), message, "E-RULES", at_key=True)


def _unsaid(file: ClassifyFile, steps: Sequence[StepFile]) -> list[str]:
    """Return which of archetype and state neither a step nor a rule says."""
    names = {step.name for step in steps if step.choose is not None}
    return [one for kind, one in KINDS if one not in names and not getattr(file, kind)]


def _with_options(step: StepFile, vocab: Vocab) -> StepFile:
    """Return a `choose` for the archetype or the state with the vocabulary as its options, where it names none."""
    words = {"archetype": vocab.archetypes, "state": vocab.states}.get(step.name or "")
    return (
        step.model_copy(update={"options": words}) if step.choose is not None and words and not step.options else step
    )


def _workflow(document: Document, file: ClassifyFile, vocab: Vocab, partials: Mapping[str, str]) -> Workflow | None:
    if file.engine == RULES:
        return None
    steps = tuple(read_step(n, _with_options(step, vocab)) for n, step in enumerate(file.steps, start=1))
    semantic = canonical_json({"file": plain(file), "partials": dict(partials)})
    return Workflow(
        id="classify", name="Who writes, and where the thread stands", version=file.version, path=CLASSIFY, applies=MatchSet(),
        context=read_context(document, file.context)[0], steps=steps, engine=file.engine, priority=0,
        sampling=file.sampling.model_dump(exclude_none=True), partials=tuple(partials), semantic=semantic,
        semantic_hash=sha256_text(semantic), document=document,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One example of the file, and what the rules say of it."""

    kind: Kind
    rule: int
    want: bool
    example: ExampleFile
    place: Path
    said: Said | None = field(default=None)


def tried(classifier: Classifier, kind: Kind) -> Iterator[Tried]:
    """Run every example of the rules of one kind."""
    for n, rule in enumerate(classifier.rules(kind)):
        for want, examples in ((True, rule.yes), (False, rule.no)):
            for m, written in enumerate(examples):
                example = ExampleFile(text=written) if isinstance(written, str) else written
                situation = Situation(
                    texts=(example.text,), unanswered=(example.text,), was=example.was, replies=example.replies,
                    atoms=frozenset((*example.atoms, *classifier.found([example.text]))),
                )  # fmt: skip
                place = (kind, n, "yes" if want else "no", m)
                said = classifier.say(kind, situation)
                yield Tried(kind=kind, rule=n + 1, want=want, example=example, place=place, said=said)


def _example_problems(classifier: Classifier, kind: Kind) -> Iterator[Problem]:
    rules = classifier.rules(kind)
    for one in tried(classifier, kind):
        decided = one.said is not None and one.said.rule == one.rule
        if decided == one.want:
            continue
        label = rules[one.rule - 1].says
        if one.want:
            instead = f"rule {one.said.rule} ({one.said.value}) takes it first" if one.said else "no rule takes it"
            message = f"this example should be {label}, but {instead}"
        else:
            phrase = f" by {one.said.phrase!r}" if one.said and one.said.phrase else ""
            message = f"this example should not be {label}, but this rule takes it{phrase}"
        yield classifier.document.problem(one.place, message, "E-EXAMPLE")


def _atom_examples(classifier: Classifier) -> Iterator[Problem]:
    for n, rule in enumerate(classifier.takes):
        for text, want in rule.yes.items():
            got = taken(rule, [text])
            if got != want:
                said = f"gives {got!r}" if got is not None else "gives nothing"
                message = f"this example should give {want!r} for `{rule.atom}`, but {said}"
                yield classifier.document.problem(("atoms", n, "yes", text), message, "E-EXAMPLE", at_key=True)
        for m, text in enumerate(rule.no):
            got = taken(rule, [text])
            if got is not None:
                message = f"this example should give nothing for `{rule.atom}`, but gives {got!r}"
                yield classifier.document.problem(("atoms", n, "no", m), message, "E-EXAMPLE")


def warnings_of(classifier: Classifier, engines: Sequence[str]) -> list[Problem]:
    """Say what may hold: no rule for everybody who is left, rules without examples, a build that is not there."""
    found = []
    for kind, _ in KINDS:
        rules = classifier.rules(kind)
        if rules and not _is_open(rules[-1]):
            message = "the last rule has a condition, so a message that none of these meets holds as `unclassified`"
            found.append(classifier.document.problem((kind, len(rules) - 1), message, "W-RULES"))
        found += [
            classifier.document.problem((kind, n), f"nothing shows what '{rule.says}' is for; give it an example (`yes:`)", "W-EXAMPLE")
            for n, rule in enumerate(rules)
            if not rule.yes and not _is_open(rule)
        ]  # fmt: skip
    if classifier.asks_model and engines and not any(engine_is(classifier.engine, engine) for engine in engines):
        message = f"no manifest in engines/ is a build that {classifier.engine} means"
        found.append(classifier.document.problem(("engine",), message, "W-ENGINE"))
    return found
