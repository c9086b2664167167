"""The text of a new workflow: for one situation, or a copy of another, with a first test and what an editor needs. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from draftctl.errors import UsageError
from draftctl.workflow import NOT_WORKFLOWS, Workflow

MODELINE = "# yaml-language-server: $schema=../schema/workflow.schema.json\n"
_KEBAB = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """For whom a new workflow is: lists of the vocabulary's words and the notes' keys; an empty one means any."""

    archetypes: Sequence[str] = ()
    states: Sequence[str] = ()
    template_keys: Sequence[str] = ()


def check_id(word: str) -> str:
    """Return an id, if it is one and no other file's name. Raises UsageError."""
    if word in NOT_WORKFLOWS:
        raise UsageError(f"workflows/{word}.yaml is another kind of file, so no workflow can be called that.")
    if not _KEBAB.fullmatch(word):
        raise UsageError(f"{word!r} is no id for a workflow.", hint="Small letters, digits and `-`: first-reply.")
    return word


def narrowed(asked: Situation | None, other: Workflow) -> Situation:
    """Return for whom a copy is: what was asked for, and else what the original is for.

    Raises UsageError where nothing was: a copy for the very same situations ties with the original, and neither is used.
    """
    if asked is None:
        raise UsageError(
            f"A copy for the same situations would tie with {other.id}, and neither would be used.",
            hint="Say for whom the new one is: --archetype, --state, --key.",
        )
    applies = other.applies
    return Situation(
        archetypes=asked.archetypes or sorted(applies.archetypes or ()),
        states=asked.states or sorted(applies.states or ()),
        template_keys=asked.template_keys or sorted(applies.template_keys or ()),
    )


def fresh_text(id_: str, name: str, situation: Situation, engine: str, persona: str) -> str:
    """Return a small workflow that lints clean: think, think, draft, and two tests."""
    draft = f"reply in {persona}'s voice, <=320 chars"
    draft = draft if re.fullmatch(r"[\w '-]+, <=320 chars", draft) else _quoted(draft)
    return f"""{MODELINE}id: {id_}
name: {_text(name)}
version: 1
appliesTo: {applies_text(situation)}
context: [pastebin canon, voice rules, safety rules]
steps:
  - think: what does this person want, and what do they still need to tell us
  - think: plan the reply; check the constraints
  - draft: {draft}
engine: {engine}
tests:
  - name: what they wrote reaches the model
    inbound: good evening, are you free this week
    expect: {{rendered: {{contains: free this week}}}}
  - name: the reply is short and asks for a day
    inbound: good evening, are you free this week
    replies: {{draft3: "Good evening. Which day did you have in mind?"}}
    expect: {{draft: {{max_chars: 320, contains_any: [day, when]}}}}
"""


def copied_text(text: str, workflow: Workflow, id_: str, name: str, situation: Situation) -> str:
    """Return another workflow's file under a new id, at version 1, for another situation; the rest stays as written.

    The caller reads it again: a file whose keys share lines cannot be changed like this.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    document = workflow.document
    new = {"id": id_, "name": _text(name), "version": "1", "appliesTo": applies_text(situation)}
    if "appliesTo" not in document.data:
        new["version"] += f"\nappliesTo: {new.pop('appliesTo')}"
    places = sorted(((document.span((key,)), key) for key in new), reverse=True)
    for (first, last), key in places:  # from the end, so that the places before stay where they are
        lines[first : last + 1] = [f"{key}: {new[key]}"]
    body = "\n".join(lines)
    return body if "yaml-language-server" in body else MODELINE + body


def applies_text(situation: Situation) -> str:
    """Return `appliesTo` on one line."""
    parts = [
        f"archetypes: [{', '.join(map(_text, situation.archetypes))}]" if situation.archetypes else "",
        f"states: [{', '.join(map(_text, situation.states))}]" if situation.states else "",
        f"templateKeys: [{', '.join(map(_text, situation.template_keys))}]" if situation.template_keys else "",
    ]
    return "{" + ", ".join(part for part in parts if part) + "}"


def _text(word: str) -> str:
    """Return a word as YAML: plain where that is safe."""
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9 ,'_-]*", word) and word.casefold() not in ("null", "true", "false"):
        return word if "," not in word else _quoted(word)
    return _quoted(word)


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
