"""What a chain would send for one candidate, without asking anybody: what earlier steps would leave stands as `{{ steps.<name> }}`. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from draftctl.chain import facts_of, step_instruction, step_settings
from draftctl.context import Context
from draftctl.manifest import Manifest
from draftctl.models import Candidate, PromptPart, prompt_hash
from draftctl.prompt import first_messages, next_messages, thread_piece
from draftctl.rendering import Facts, Prompts
from draftctl.workflow import Workflow


class Left:
    """Stands for what a step would leave: it prints as its own name, has every part, and is true whatever it is compared with."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, part: str) -> "Left":
        if part.startswith("__"):
            raise AttributeError(part)
        return Left(f"{self._name}.{part}")

    def __getitem__(self, part: object) -> "Left":
        return Left(f"{self._name}.{part}")

    def __iter__(self) -> Iterator["Left"]:
        return iter((self,))

    def __len__(self) -> int:
        return 1

    def __lt__(self, _other: object) -> bool:
        return True

    __gt__ = __le__ = __ge__ = __lt__

    def __str__(self) -> str:
        return f"{{{{ {self._name} }}}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Previewed:
    """One step's request as it would be sent."""

    n: int
    verb: str
    messages: tuple[PromptPart, ...]
    prompt_hash: str


def preview(
    candidate: Candidate, workflow: Workflow, context: Context, manifest: Manifest, prompts: Prompts, notes: Facts
) -> list[Previewed]:
    """Return every request of a chain in which nothing is left out or asked twice. Raises RenderError."""
    left: dict[str, Left] = {}
    messages: tuple[PromptPart, ...] = ()
    answer = ""
    found = []
    max_chars = workflow.steps[workflow.draft].max_chars
    for n, step in enumerate(workflow.steps, start=1):
        if step.verb == "check":
            continue
        text = prompts.render(step.text, partial(facts_of, candidate, notes, dict(left)))
        turn = step_instruction(step, text, max_chars)
        if messages:
            messages = next_messages(messages, answer, turn, manifest.special_tokens)
        else:
            thread = thread_piece(candidate, manifest.special_tokens)
            messages = first_messages(context.piece, thread, turn, manifest.serve.context_role)
        settings = step_settings(
            step, workflow, manifest.sampling.model_dump(exclude_none=True), f"{candidate.thread_id}\0{step.name}\0{1}"
        )
        found.append(Previewed(n=n, verb=step.verb, messages=messages, prompt_hash=prompt_hash(messages, settings)))
        left[step.name] = Left(f"steps.{step.name}")
        answer = str(left[step.name])
    return found
