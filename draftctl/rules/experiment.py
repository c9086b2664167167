"""E-EXPERIMENT: an experiment whose arms cannot be told apart, or are not there."""

from collections.abc import Iterator

from draftctl.chainset import engine_matches
from draftctl.experiment_file import EXPERIMENTS, ExperimentFile
from draftctl.rules.base import Found, Rule, Whole
from draftctl.spelling import did_you_mean
from draftctl.yamlfile import Path


def _check(whole: Whole) -> Found:
    for document, file in whole.experiments:
        for place, message in (*_head(file, document.path, whole), *_arms(file, whole)):
            yield document.problem(place, message, "")


def _head(file: ExperimentFile, path: str, whole: Whole) -> Iterator[tuple[Path, str]]:
    if path != f"{EXPERIMENTS}{file.id}.yaml":
        yield ("id",), f"the id is {file.id}, but the file is {path}"
    for kind in ("archetypes", "states") if whole.vocab else ():
        for n, word in enumerate(getattr(file.applies_to, kind)):
            unknown = whole.vocab.unknown(kind, word) if whole.vocab else None
            if unknown:
                yield ("appliesTo", kind, n), unknown
    for n, key in enumerate(file.applies_to.template_keys):
        if whole.canon.find(key) is None:
            yield ("appliesTo", "templateKeys", n), whole.canon.unknown(key)


def _arms(file: ExperimentFile, whole: Whole) -> Iterator[tuple[Path, str]]:
    if abs(sum(arm.weight for arm in file.arms) - 1) > 1e-9:  # noqa: PLR2004  (what adding decimals may lose)
        yield ("arms",), f"the weights sum to {sum(arm.weight for arm in file.arms):g}, not to 1"
    for n, arm in enumerate(file.arms):
        if any(other.id == arm.id for other in file.arms[:n]):
            yield ("arms", n, "id"), f"an arm before this one is '{arm.id}' too"
        id_, _, version = arm.workflow.rpartition("@")
        workflow = whole.chains.workflows.get(id_)
        if workflow is None:
            if id_ not in whole.chains.broken:
                yield (
                    ("arms", n, "workflow"),
                    f"there is no workflow '{id_ or arm.workflow}' (ID@VERSION){did_you_mean(id_, list(whole.chains.workflows))}",
                )
        elif version != workflow.version and (id_, version) not in (whole.locked or {}):
            yield ("arms", n, "workflow"), f"{id_} never had a version {version}; it is at {workflow.version}"
        elif not engine_matches(workflow, arm.engine):
            yield ("arms", n, "engine"), f"{id_} is for {workflow.engine}, not for {arm.engine}"
        if whole.manifests and arm.engine not in whole.manifests:
            yield ("arms", n, "engine"), f"there is no engines/{arm.engine}.yaml"


RULE = Rule(
    id="E-EXPERIMENT",
    title="An experiment that could not be read from",
    why="What it compares must be there, and each thread must fall into exactly one arm.",
    fix="Two or more arms with different ids, weights that sum to 1, workflows as ID@VERSION, builds that have a manifest.",
    of_workspace=_check,
)
