"""`workflows/experiments/<id>.yaml`: which arms a share of the threads is split over, and what decides between them. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from draftctl.file_model import Strict, validate
from draftctl.workflow_file import AppliesToFile
from draftctl.yamlfile import Document, parse_yaml

EXPERIMENTS = "workflows/experiments/"


class ArmFile(Strict):
    """One arm: a workflow at a version on a build, and its share of those who are in the experiment."""

    id: str
    workflow: str
    engine: str
    weight: Annotated[float, Field(gt=0, le=1)]


class ExperimentFile(Strict):
    """The whole of an experiment file."""

    id: str
    salt: str
    unit: Literal["thread"] = "thread"
    applies_to: AppliesToFile = Field(default=AppliesToFile(), alias="appliesTo")
    coverage: Annotated[float, Field(ge=0, le=1)] = 1.0
    arms: Annotated[tuple[ArmFile, ...], Field(min_length=2)]
    metric: str = "accepted_unedited"
    min_per_arm: Annotated[int, Field(ge=1)] = 100
    stop: str = "e-process"


def is_experiment(path: str) -> bool:
    """Say whether a workspace path is an experiment's file."""
    return path.startswith(EXPERIMENTS) and path.endswith(".yaml")


def read_experiment(content: bytes, path: str) -> tuple[Document, ExperimentFile]:
    """Read an experiment's bytes. Raises FileProblems with everything that is wrong in its shape."""
    document = parse_yaml(content, path)
    return document, validate(document, ExperimentFile)
