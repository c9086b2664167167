"""W-ENGINE: no build here is the one that a workflow means."""

from draftctl.chainset import engine_matches
from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        if whole.manifests and not any(engine_matches(workflow, engine) for engine in whole.manifests):
            message = f"no manifest in engines/ is a build that {workflow.engine} means"
            yield workflow.document.problem(("engine",), message, "")


RULE = Rule(
    id="W-ENGINE",
    title="No build is the one that is meant",
    why="Its candidates would hold as `engine_mismatch`.",
    fix="Correct `engine:`, or add the build's manifest to engines/.",
    of_workspace=_check,
)
