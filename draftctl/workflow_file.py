"""The shape of a workflow file: the seed's seven keys and their optional siblings, strict."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from draftctl.file_model import Strict
from draftctl.manifest import SamplingFile

VERBS = ("think", "choose", "extract", "draft", "check", "critique")


class _File(Strict):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class AppliesToFile(_File):
    """For whom a workflow is; an empty list means any."""

    archetypes: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    template_keys: tuple[str, ...] = Field(default=(), alias="templateKeys")


class ContextFile(_File):
    """One entry of `context` that names its files or notes."""

    pastebin: tuple[str, ...] | None = None
    voice: str | None = None
    rules: str | None = None
    safety: str | None = None


class OnFailFile(_File):
    """What happens when a reply does not pass: so many redrafts, then it holds."""

    redraft: Annotated[int, Field(ge=0, le=5)] | None = None
    then: Literal["hold"] = "hold"


class StepFile(_File):
    """One step as it is written: exactly one verb, and its siblings."""

    think: str | None = None
    choose: str | None = None
    extract: str | None = None
    draft: str | None = None
    check: tuple[str, ...] | None = None
    critique: str | None = None
    name: str | None = Field(default=None, alias="as")
    when: str | None = None
    max_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None
    max_chars: Annotated[int, Field(ge=1, le=2000)] | None = None
    sampling: SamplingFile | None = None
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    options: tuple[str, ...] | None = None
    on_fail: OnFailFile | None = None


class ExamplesFile(_File):
    """Few-shot examples from corrections: which fields must match, how many, how long in all."""

    from_: Literal["corrections"] = Field(default="corrections", alias="from")
    match: tuple[Literal["templateKey", "archetype", "state"], ...] = ("templateKey",)
    max: Annotated[int, Field(ge=0, le=32)] = 4
    max_chars: Annotated[int, Field(ge=1)] = 1200


Words = str | tuple[str, ...]


class TextExpectFile(_File):
    """What must be true of a text; a word alone is a list of one."""

    contains: Words = ()
    contains_any: Words = ()
    not_contains: Words = ()
    matches: Words = ()
    not_matches: Words = ()
    max_chars: Annotated[int, Field(ge=1)] | None = None
    no_special_tokens: bool = False


class ExpectFile(_File):
    """What a test expects: of what is rendered, of the reply, of the hold, and (`steps.NAME`, `steps.NAME.FIELD`) of what a step leaves."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    rendered: TextExpectFile | None = None
    draft: TextExpectFile | None = None
    held: str | None = None


class TestMessageFile(_File):
    """One message of a test's thread."""

    role: Literal["prospect", "quinn"] = "prospect"
    text: str


class TestFile(_File):
    """One test: who writes what (`inbound`, `messages`, or `thread`: a file with one input line), what the model answers, what is expected."""

    __test__ = False  # pytest shall not take it for one of its own

    name: str
    inbound: str | None = None
    messages: tuple[TestMessageFile, ...] = ()
    thread: str | None = None
    archetype: str | None = None
    state: str | None = None
    template_key: str | None = Field(default=None, alias="templateKey")
    atoms: dict[str, Any] = Field(default_factory=dict)
    replies: dict[str, Any] = Field(default_factory=dict)
    expect: ExpectFile = ExpectFile()


class WorkflowFile(_File):
    """The whole of a workflow file."""

    id: str
    name: str
    version: str
    description: str = ""
    applies_to: AppliesToFile = Field(default=AppliesToFile(), alias="appliesTo")
    context: tuple[str | ContextFile, ...] = ()
    steps: tuple[StepFile, ...]
    engine: str
    sampling: SamplingFile = SamplingFile()
    examples: ExamplesFile | None = None
    priority: int = 0
    auto: bool = False  # may a reply leave without a person, where the mode says so
    tests: tuple[TestFile, ...] = ()


def verbs_of(step: StepFile) -> list[str]:
    """Return the verbs that a step has; a right one has exactly one."""
    return [verb for verb in VERBS if getattr(step, verb) is not None]
