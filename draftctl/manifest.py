"""`engines/<id>.yaml`: what pins one build: weights by revision and hash, how it is served, on which droplets. `parse` is pure."""

import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from draftctl.engine_id import parse_build
from draftctl.errors import FileProblems, UsageError
from draftctl.file_model import Strict, validate
from draftctl.yamlfile import parse_yaml

_IS_MANIFEST = re.compile(r"engines/[^/]+\.yaml")
Revision = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Base(Strict):
    """The model that the build starts from: a repository on the hub and the commit that pins it."""

    repo: str
    revision: Revision


class WeightFile(Strict):
    """One file of the weights: its name, its size in bytes, its hash."""

    name: str
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Serve(Strict):
    """How the build is served: the image by digest, its arguments, and where the context goes (DESIGN: message layout)."""

    image: Annotated[str, Field(pattern=r"^[^@\s]+@sha256:[0-9a-f]{64}$")] | None = None
    args: tuple[str, ...] = ()
    context_role: Literal["system", "user"] = "user"

    @property
    def max_model_len(self) -> int | None:
        """Return how many tokens the server reads, as its arguments say; None where they do not."""
        for n, arg in enumerate(self.args):
            word, _, value = arg.partition("=")
            if word == "--max-model-len":
                value = value or (self.args[n + 1] if n + 1 < len(self.args) else "")
                return int(value) if value.isascii() and value.isdigit() else None
        return None


class Size(Strict):
    """One droplet size in one region, in the order in which they are tried."""

    size: str
    region: str


class Droplet(Strict):
    """What the build runs on."""

    image: str | None = None
    candidates: tuple[Size, ...] = ()


class Adapter(Strict):
    """A LoRA on top of the base: a folder of the workspace, or a repository at a commit."""

    path: str | None = None
    repo: str | None = None
    revision: Revision | None = None
    sha256: Sha256 | None = None


class SamplingFile(Strict):
    """What goes to the server with a request; absent means the engine's own."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=2)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    seed: int | Literal["thread"] | None = None


class Manifest(Strict):
    """One build's whole manifest."""

    id: str
    base: Base
    status: Literal["candidate", "live", "retired"] = "candidate"
    files: tuple[WeightFile, ...] = ()
    serve: Serve = Serve()
    droplet: Droplet = Droplet()
    adapter: Adapter | None = None
    parent: str | None = None
    dataset: str | None = None
    evaluation: str | None = None
    sampling: SamplingFile = SamplingFile()
    special_tokens: tuple[str, ...] = ()


def manifest_path(engine_id: str) -> str:
    """Return the workspace path of an engine's manifest."""
    return f"engines/{engine_id}.yaml"


def engine_ids(paths: Iterable[str]) -> list[str]:
    """Return the ids of the builds that have a manifest among these workspace paths, in order."""
    return sorted(path.removeprefix("engines/").removesuffix(".yaml") for path in paths if _IS_MANIFEST.fullmatch(path))


def parse_manifest(content: bytes, path: str) -> Manifest:
    """Read a manifest's bytes; `path` (its place in the workspace) must bear the id that stands in it.

    Raises FileProblems with everything that is wrong in the file.
    """
    document = parse_yaml(content, path)
    manifest = validate(document, Manifest)
    problems = []
    try:
        parse_build(manifest.id)
    except UsageError as error:
        problems.append(document.problem(("id",), f"{error.message} {error.hint}", "E-ENGINE"))
    if manifest_path(manifest.id) != path:
        problems.append(document.problem(("id",), f"the id is {manifest.id}, but the file is {path}", "E-ENGINE"))
    if manifest.parent is not None:
        try:
            parse_build(manifest.parent)
        except UsageError as error:
            problems.append(document.problem(("parent",), f"{error.message} {error.hint}", "E-ENGINE"))
    if manifest.adapter is not None and (manifest.adapter.path is None) == (manifest.adapter.repo is None):
        problems.append(document.problem(("adapter",), "an adapter has either a path or a repo", "E-VALUE"))
    if problems:
        raise FileProblems(problems)
    return manifest
