"""W-ATOM: a fact that is named once, and nearly like one that is named elsewhere."""

import difflib
from collections import defaultdict

from draftctl.jinja_check import named_in
from draftctl.rules.base import Found, Rule, Whole

_NEAR = 0.75


def _check(whole: Whole) -> Found:
    where: dict[str, set[str]] = defaultdict(set)
    for note in whole.canon.notes.values():
        for name in note.atoms:
            where[name].add(note.key)
    for workflow in whole.chains.workflows.values():
        texts = [
            *(step.text for step in workflow.steps),
            *(f"{{{{ {step.when} }}}}" for step in workflow.steps if step.when),
        ]
        for name in (
            *(name for text in texts for name, _ in named_in(text, "atoms")),
            *(n for t in workflow.tests for n in t.atoms),
        ):
            where[name].add(workflow.id)
    for workflow in whole.chains.workflows.values():
        for n, step in enumerate(workflow.steps):
            text = workflow.document.data["steps"][n].get(step.verb)
            for name, offset in named_in(text, "atoms") if isinstance(text, str) else ():
                if len(where[name]) > 1:
                    continue
                meant = difflib.get_close_matches(name, [other for other in where if other != name], n=1, cutoff=_NEAR)
                if meant:
                    message = f"`atoms.{name}` is named nowhere else; did you mean '{meant[0]}'?"
                    yield workflow.document.problem_in_text(("steps", n, step.verb), text, offset, message, "")


RULE = Rule(
    id="W-ATOM",
    title="A fact that is named nearly like another",
    why="Any fact may come with a message, so a misspelt one is no error: every candidate would hold as `missing_atom`.",
    fix="Take the name that notes and other workflows use; where it is another fact, give it a name that is less alike.",
    of_workspace=_check,
)
