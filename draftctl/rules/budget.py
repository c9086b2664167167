"""W-BUDGET: a prompt that will hardly fit the model."""

from draftctl.chainset import engine_matches, text_path
from draftctl.rules.base import Found, Rule, Whole
from draftctl.workflow import Workflow

_CHARS_PER_TOKEN = (
    3.5  # English prose in the tokenizers of Llama 3, Nemo and Qwen: 3.6 to 4.4; emoji and Jinja take more
)
_THREAD_CHARS = 4000  # what a thread of some twenty messages takes


def _chars(workflow: Workflow, whole: Whole) -> int:
    """Return the characters of a chain's last prompt, as far as the files say: context, examples, a thread, every step and its answer."""
    texts = [whole.canon.texts.get(text_path(item), "") for item in workflow.context if item.kind != "canon"]
    notes = [
        max((len(note.text) for key, note in whole.canon.notes.items() if not item.keys or key in item.keys), default=0)
        * max(len(item.keys), 1)
        for item in workflow.context
        if item.kind == "canon"
    ]
    steps = sum(
        len(step.text) + sum(len(whole.chains.partials[name]) for name in workflow.partials) for step in workflow.steps
    )
    examples = workflow.examples.max_chars * 2 if workflow.examples else 0
    return sum(map(len, texts)) + sum(notes) + steps + examples + _THREAD_CHARS


def _check(whole: Whole) -> Found:
    for workflow in whole.chains.workflows.values():
        lengths = {
            id_: manifest.serve.max_model_len
            for id_, manifest in whole.manifests.items()
            if engine_matches(workflow, id_) and manifest.serve.max_model_len
        }
        needed = int(_chars(workflow, whole) / _CHARS_PER_TOKEN) + sum(step.max_tokens for step in workflow.steps)
        tight = {id_: length for id_, length in lengths.items() if length and needed > length}
        for id_, length in sorted(tight.items())[:1]:
            message = f"some {needed} tokens are needed (prompt and answers, a long thread included), and {id_} reads {length}"
            yield workflow.document.problem(("steps",), message, "", at_key=True)


RULE = Rule(
    id="W-BUDGET",
    title="A prompt that will hardly fit",
    why="A prompt that is too long is not sent: the candidate holds as `prompt_too_long`.",
    fix="Shorten the context or the steps, lower `max_tokens`, or serve the build with a larger --max-model-len.",
    of_workspace=_check,
)
