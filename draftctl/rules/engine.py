"""E-ENGINE: `engine:` is a build's id, or a pattern of one."""

import re

from draftctl.engine_id import parse_build
from draftctl.errors import UsageError
from draftctl.rules.base import Found, Rule, Written

_GLOB = re.compile(r"do-gpu-[a-z0-9.*?_\[\]-]+")


def engine_fault(engine: str) -> str:
    """Say why this names no build, or nothing."""
    if not _GLOB.fullmatch(engine):
        return (
            f"'{engine}' is no do-gpu build (do-gpu-<model>_<YYYY-MM-DD>.<n>) and no pattern of one (do-gpu-<model>_*)"
        )
    if not any(char in engine for char in "*?["):
        try:
            parse_build(engine)
        except UsageError as error:
            return f"{error.message} {error.hint}"
    return ""


def _check(written: Written) -> Found:
    fault = engine_fault(written.file.engine) if written.file else ""
    if fault:
        yield written.at(("engine",), fault)


RULE = Rule(
    id="E-ENGINE",
    title="This names no build",
    why="A draft says which weights made it; no hosted model may, and `template` asks none.",
    fix="Name one build (do-gpu-<model>_<YYYY-MM-DD>.<n>) or all builds of a model (do-gpu-<model>_*).",
    of_file=_check,
)
