"""What a chain reads before its first step: the shared texts of its prompt, and the bundle that is hashed. Pure.

The bundle covers every text that can reach the prompt or decide about the reply, so two drafts with one bundle hash were told the
same; what is per candidate (thread, atoms) is in the prompt itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from draftctl.canon import NOTES, SAFETY, Canon, Note
from draftctl.chainset import PARTIALS, text_path
from draftctl.control_tokens import find_control_token
from draftctl.few_shot import Example
from draftctl.gates import RULESET
from draftctl.jinja_check import named_in
from draftctl.manifest import Manifest, manifest_path
from draftctl.models import BundlePart, bundle_hash, canonical_json
from draftctl.prompt import ContextText, context_piece
from draftctl.rendering import RENDERER_VERSION, unfilled
from draftctl.workflow import Workflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The shared piece of the prompt, the bundle with its hash, and the workspace paths that were read.

    `control_token` is what still looks like one in the piece, which nothing should.
    """

    piece: str
    control_token: str | None
    bundle: tuple[BundlePart, ...]
    bundle_hash: str
    read: frozenset[str]


def gather(
    workflow: Workflow,
    note: Note | None,
    canon: Canon,
    partials: Mapping[str, str],
    manifest: Manifest,
    persona: str,
    examples: Sequence[Example] = (),
) -> Context:
    """Put together the context of one workflow and one note, with the examples of this batch after the canon.

    The classifier's steps have no note yet: of the canon they see what they name.
    """
    notes = _notes(workflow, note, canon)
    files = {
        path: canon.texts[path]
        for item in workflow.context
        if item.kind != "canon" and (path := text_path(item)) in canon.texts
    }
    kinds = {text_path(item): item.kind for item in workflow.context if item.kind != "canon"}
    texts = [ContextText(kind=kinds[path], key=path, text=text) for path, text in files.items()]
    texts += [ContextText(kind="canon", key=n.key, text=f"{n.key} {n.name}: {unfilled(n.text)}") for n in notes]
    texts += [ContextText(kind="examples", key=str(example.correction_id), text=example.text) for example in examples]
    said = [text for step in workflow.steps for text in (step.text, f"{{{{ ({step.when or 0}) }}}}")]
    said += [partials[name] for name in workflow.partials]
    named = [found for text in said for key, _ in named_in(text, "pastebin") if (found := canon.find(key))]
    parts = (
        BundlePart(kind="workflow", key=workflow.id, content=workflow.semantic),
        *(BundlePart(kind="note", key=n.key, content=n.text) for n in dict.fromkeys((*notes, *named))),
        *(BundlePart(kind="text", key=path, content=text.strip()) for path, text in files.items()),
        *(BundlePart(kind="partial", key=name, content=partials[name]) for name in workflow.partials),
        BundlePart(kind="manifest", key=manifest.id, content=canonical_json(manifest.model_dump(mode="json"))),
        *(BundlePart(kind="example", key=str(example.correction_id), content=example.text) for example in examples),
        BundlePart(kind="persona", key="name", content=persona),
        BundlePart(kind="renderer", key="version", content=RENDERER_VERSION),
        BundlePart(kind="gates", key="ruleset", content=RULESET),
        *canon.safety_parts,
    )
    read = {
        workflow.path,
        manifest_path(manifest.id),
        NOTES,
        SAFETY,
        "draftctl.yaml",  # the persona
        *kinds,  # also those that are not there: their absence is what was read
        *(PARTIALS + name for name in workflow.partials),
    }
    extra = manifest.special_tokens
    piece = context_piece(persona, texts, extra)
    return Context(
        piece=piece,
        control_token=find_control_token(piece, extra),
        bundle=parts,
        bundle_hash=bundle_hash(parts),
        read=frozenset(read),
    )


def _notes(workflow: Workflow, note: Note | None, canon: Canon) -> list[Note]:
    """Return the notes that the context names, in order, each once."""
    found: list[Note] = []
    for item in workflow.context:
        if item.kind == "canon":
            found += [named for key in item.keys if (named := canon.find(key))] if item.keys else [note] if note else []
    return list(dict.fromkeys(found))
