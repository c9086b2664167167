"""One workflow on one candidate, outside any queue: what it would send, and what comes back. Nothing is kept as a draft, so nothing can leave.

`workflow test`, `workflow try`, `workflow diff` and `save` go through here; a batch does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from draftctl.canon import Canon, parse_canon
from draftctl.chainset import ChainSet, engine_matches
from draftctl.context import Context, gather
from draftctl.engines.base import Completion, Engine, Request
from draftctl.errors import FileProblems
from draftctl.manifest import Manifest, engine_ids, manifest_path, parse_manifest
from draftctl.memory import Memory
from draftctl.models import Candidate, Person, PromptPart, Result, prompt_hash, sha256_text
from draftctl.preview import Previewed, preview
from draftctl.rendering import Prompts
from draftctl.routing import Entry
from draftctl.runner import Chains, Deps, draft_one, note_facts
from draftctl.workflow import MatchSet, Workflow, read_partials


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What a workflow is tried with: the notes and texts, the partials, one build, and whose voice it is."""

    canon: Canon
    partials: Mapping[str, str]
    manifest: Manifest
    persona: str

    def context(self, workflow: Workflow, candidate: Candidate) -> Context:
        """Return the shared piece of the prompt and the bundle, as a batch would put them together (without examples, which are a batch's)."""
        note = self.canon.find(candidate.template_key or "")
        return gather(workflow, note, self.canon, self.partials, self.manifest, self.persona)

    def preview(self, workflow: Workflow, candidate: Candidate) -> list[Previewed]:
        """Return every request that the chain would send. Raises RenderError."""
        prompts = Prompts(self.partials, self.manifest.special_tokens)
        context = self.context(workflow, candidate)
        return preview(candidate, workflow, context, self.manifest, prompts, note_facts(self.canon))

    async def run(
        self, workflow: Workflow, candidate: Candidate, engine: Engine, memory: Memory | None = None
    ) -> Result:
        """Run the chain as a batch would, gates and all, whatever cell the candidate is in and whatever build the workflow means."""
        workflow = replace(workflow, engine=engine.id)
        entry = Entry(id=workflow.id, applies=MatchSet())
        chains = Chains(
            chains=ChainSet(workflows={workflow.id: workflow}, broken={}, partials=self.partials, entries=(entry,)),
            manifest=self.manifest,
            persona=self.persona,
            prompts=Prompts(self.partials, self.manifest.special_tokens),
            notes=note_facts(self.canon),
        )
        deps = Deps(engine=engine, canon=self.canon, chains=chains)
        return await draft_one(candidate, Person(), deps, memory)


def bench_of(
    files: Mapping[str, bytes], workflow: Workflow, persona: str, engine_id: str | None = None
) -> Bench | None:
    """Return what a workflow is tried with among a workspace's files: the build that is named, else the first that it means; None without one."""
    ids = [engine_id] if engine_id else [id_ for id_ in engine_ids(files) if engine_matches(workflow, id_)]
    if not ids or manifest_path(ids[0]) not in files:
        return None
    try:
        canon = parse_canon({path: content for path, content in files.items() if path.startswith("pastebin/")})
        manifest = parse_manifest(files[manifest_path(ids[0])], manifest_path(ids[0]))
        return Bench(canon=canon, partials=read_partials(files), manifest=manifest, persona=persona)
    except FileProblems:
        return None


def cache_key(engine_id: str, request: Request) -> str:
    """Return what an answer is kept under: the exact messages, the sampling, the constraint and the engine, and nothing else."""
    return sha256_text(f"{engine_id}\0{prompt_hash(request.messages, request.settings)}")


def told(messages: tuple[PromptPart, ...]) -> str:
    """Return all that a request says, as one text."""
    return "\n".join(message.content for message in messages)


def another_sample(settings: Mapping[str, object], sample: int) -> dict[str, object]:
    """Return the settings of the n-th sample (from 1): the first is asked as a batch asks, each further one with a seed of its own."""
    if sample == 1:
        return dict(settings)
    seed = int(sha256_text(f"{settings.get('seed')}\0{sample}")[:8], 16) >> 1
    return {**settings, "seed": seed}


class NotRecorded(Exception):
    """Nobody has asked a model this yet."""


class Answers(Protocol):
    """What was answered before, by `cache_key`; the command line keeps it in the database."""

    def recall(self, key: str) -> Completion | None:
        """Return the answer that is kept under a key."""
        ...

    def keep(self, key: str, completion: Completion) -> None:
        """Keep an answer."""
        ...


class Recorded:
    """An engine that answers what was answered before (by `cache_key`), and asks another engine (or nobody) for the rest.

    `sent` counts what the other engine was asked.
    """

    def __init__(self, engine_id: str, answers: Answers, engine: Engine | None = None, sample: int = 1) -> None:
        self.id = engine_id
        self.sent = 0
        self._answers = answers
        self._engine = engine
        self._sample = sample

    async def complete(self, request: Request) -> Completion:
        """Return the answer that is kept, or ask; raises NotRecorded where there is nobody to ask."""
        request = replace(request, settings=another_sample(request.settings, self._sample))
        key = cache_key(self.id, request)
        known = self._answers.recall(key)
        if known is not None:
            return known
        if self._engine is None:
            raise NotRecorded
        self.sent += 1
        completion = await self._engine.complete(request)
        if completion.model == self.id and completion.finish_reason == "stop":
            self._answers.keep(key, completion)
        return completion

    async def close(self) -> None:
        """Leave the other engine to whoever made it."""


class NoAnswers:
    """Keeps nothing: nobody was asked before, and nothing is remembered."""

    def recall(self, _key: str) -> Completion | None:
        """Return None."""
        return None

    def keep(self, _key: str, _completion: Completion) -> None:
        """Do nothing."""
