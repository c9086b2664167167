"""W-EXPERIMENT: experiments are read, and not yet run."""

from draftctl.experiment_file import is_experiment
from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    for path in filter(is_experiment, whole.files):
        yield whole.at_line(path, "experiments are read, and not yet run")


RULE = Rule(
    id="W-EXPERIMENT",
    title="An experiment that is not run",
    why="All threads get the workflow of their cell; no arm is assigned.",
    fix="Nothing to do; it is checked, and waits.",
    of_workspace=_check,
)
