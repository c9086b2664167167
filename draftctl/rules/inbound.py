"""W-INBOUND: a person's own words printed into an instruction."""

from draftctl.jinja_check import named_in
from draftctl.rules.base import Found, Rule, Whole


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        for n, step in enumerate(workflow.steps):
            path = ("steps", n, step.verb)
            text = workflow.document.data["steps"][n].get(step.verb)
            named = dict(reversed(named_in(text, "thread"))) if isinstance(text, str) else {}
            for name, offset in named.items():  # each once, where it stands first
                if name != "id":
                    message = f"`thread.{name}` puts what a person wrote into an instruction; the transcript above it shows it already, as data"
                    yield workflow.document.problem_in_text(path, text, offset, message, "")


RULE = Rule(
    id="W-INBOUND",
    title="A person's words stand in an instruction",
    why="Inside the fence they are data; in a step's own text the model may take them for what it is told to do.",
    fix="Leave it out: every prompt shows the thread. Use what an extract or a choose made of it: {{ steps.wanted.day }}.",
    of_workspace=_check,
)
