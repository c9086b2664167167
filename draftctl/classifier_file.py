"""The shape of `workflows/classify.yaml`: ordered rules for who writes and where the thread stands, what to take out of it, strict."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from draftctl.file_model import Strict
from draftctl.manifest import SamplingFile
from draftctl.phrases import Slot
from draftctl.workflow_file import ContextFile, StepFile

RULES = "rules"
Count = Annotated[int, Field(ge=0, le=10_000)]


class _File(Strict):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


class ExampleFile(_File):
    """A thread that a rule is tried on: what they wrote, where the thread stood, how often we have answered, what is known."""

    text: str
    was: str | None = None
    replies: Count = 0
    atoms: tuple[str, ...] = ()


class RuleFile(_File):
    """One rule: what it says (`is`), when, and examples that it must decide (`yes`) or leave to others (`no`)."""

    says: str = Field(alias="is")
    any: tuple[str, ...] = ()
    all: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    was: tuple[str, ...] = ()
    atoms: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    min_replies: Count | None = None
    max_replies: Count | None = None
    min_messages: Count | None = None
    yes: tuple[str | ExampleFile, ...] = ()
    no: tuple[str | ExampleFile, ...] = ()


class TakeFile(_File):
    """One fact to take out of a thread: the atom's name, where it stands (`___`), what may stand there, and words that it never is."""

    atom: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    find: tuple[str, ...]
    take: Slot
    never: tuple[str, ...] = ()
    yes: dict[str, str] = Field(default_factory=dict)
    no: tuple[str, ...] = ()


class ClassifyFile(_File):
    """The whole of `workflows/classify.yaml`. With `engine: do-gpu-...` its `steps` are asked, and the rules can be compared with them."""

    version: str = "1"
    engine: str = RULES
    compare: bool = False
    archetypes: tuple[RuleFile, ...] = ()
    states: tuple[RuleFile, ...] = ()
    atoms: tuple[TakeFile, ...] = ()
    context: tuple[str | ContextFile, ...] = ()
    steps: tuple[StepFile, ...] = ()
    sampling: SamplingFile = SamplingFile()


def plain(value: Any) -> Any:
    """Return a part of the file as JSON can hold it."""
    return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
