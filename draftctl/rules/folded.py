"""W-FOLDED: Jinja in a text whose lines are folded."""

from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        for n, step in enumerate(workflow.steps):
            path = ("steps", n, step.verb)
            if step.verb != "check" and "{%" in step.text and _is_folded(workflow.document.written(path)):
                message = "lines are folded into one here, and with them the Jinja; use a `|` block"
                yield workflow.document.problem(path, message, "")


def _is_folded(style: str) -> bool:
    return style.startswith(">") or (style.endswith("+") and not style.startswith("|"))


RULE = Rule(
    id="W-FOLDED",
    title="Jinja in folded lines",
    why="In a `>` block and in quotes over several lines YAML joins lines, so the prompt has other lines than the file shows.",
    fix="Write the text as a `|` block.",
    of_workspace=_check,
)
