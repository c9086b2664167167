"""E-RENDER: a text that is right in itself and still cannot be rendered for somebody whom the workflow is for."""

from collections.abc import Iterator
from functools import partial

from draftctl.chain import facts_of
from draftctl.jinja_check import named_in, renders_surely
from draftctl.models import Candidate
from draftctl.preview import Left
from draftctl.rendering import Facts, Prompts, RenderError, unfilled
from draftctl.rules.base import Found, Rule, Whole
from draftctl.samples import cells_of, sample
from draftctl.workflow import Workflow


def _check(whole: Whole) -> Found:
    prompts = Prompts(whole.chains.partials)
    notes = Facts(
        "pastebin", {name: unfilled(note.text) for note in whole.canon.notes.values() for name in (note.key, note.name)}
    )
    notes |= {alias: notes[key] for alias, key in whole.canon.aliases.items() if key in notes}
    partials = whole.chains.partials
    for workflow in whole.chains.workflows.values():
        extracts = {step.name for step in workflow.steps if step.verb == "extract"}
        texts = [
            text for step in workflow.steps for text in (step.text, f"{{{{ ({step.when}) }}}}" if step.when else "")
        ]
        if all(renders_surely(text, extracts, partials) for text in texts):
            continue
        told: set[int] = set()
        for who in _candidates(workflow, whole):
            for n, message in _failures(workflow, who, notes, prompts):
                if n not in told:
                    told.add(n)
                    path = ("steps", n, workflow.steps[n].verb)
                    yield workflow.document.problem(path, message, "")


def _candidates(workflow: Workflow, whole: Whole) -> Iterator[Candidate]:
    """Yield a made-up candidate for each cell; only where a text looks at the cell does another one make a difference."""
    texts = [step.text for step in workflow.steps] + [whole.chains.partials[name] for name in workflow.partials]
    looks = any(name != "id" for text in texts for name, _ in named_in(text, "candidate"))
    for cell in cells_of(workflow, whole.canon, whole.vocab):
        yield sample(cell, workflow, whole.canon, whole.chains.partials)
        if not looks:
            return


def _failures(workflow: Workflow, who: Candidate, notes: Facts, prompts: Prompts) -> Iterator[tuple[int, str]]:
    left: dict[str, Left] = {}
    for n, step in enumerate(workflow.steps):
        if step.verb == "check":
            continue
        facts = facts_of(who, notes, dict(left))
        try:
            if step.when is not None:
                prompts.holds(step.when, facts)
            prompts.render(step.text, partial(lambda found: found, facts))
        except RenderError as error:
            cell = f"{who.archetype or 'anybody'} x {who.state or 'any state'} x {who.template_key or 'any note'}"
            yield n, f"this cannot be rendered, for example for {cell}: {error}"
        left[step.name] = Left(f"steps.{step.name}")


RULE = Rule(
    id="E-RENDER",
    title="A text that cannot be rendered for somebody whom it is for",
    why="The candidate would hold as `workflow_invalid` when its turn comes.",
    fix="Most often a field of a message is misspelt, a list is shorter than the text thinks, or text is taken for a number.",
    of_workspace=_check,
)
