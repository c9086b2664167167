"""JSON Schemas of every file that people write, for their editors: made of the models that read the files, with the vocabulary's words. Pure.

A field that wants text takes what is written (`version: 1.10`), so the schemas allow a number or a truth value there too.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from draftctl.canon import Canon, NotesFile, SafetyFile
from draftctl.classifier_file import ClassifyFile
from draftctl.decisions import DecisionsFile
from draftctl.experiment_file import ExperimentFile
from draftctl.gates import GATES
from draftctl.holds import HOLDS
from draftctl.manifest import Manifest
from draftctl.models import canonical_json
from draftctl.settings import SettingsFile
from draftctl.vocab import Vocab, VocabFile
from draftctl.workflow_file import WorkflowFile

FOLDER = "schema"
KINDS: Mapping[str, tuple[type[BaseModel], str]] = {
    "workflow": (WorkflowFile, "workflows/*.yaml"),
    "vocab": (VocabFile, "workflows/vocab.yaml"),
    "classify": (ClassifyFile, "workflows/classify.yaml"),
    "decisions": (DecisionsFile, "workflows/decisions.yaml"),
    "experiment": (ExperimentFile, "workflows/experiments/*.yaml"),
    "notes": (NotesFile, "pastebin/notes.yaml"),
    "safety": (SafetyFile, "pastebin/safety.yaml"),
    "engine": (Manifest, "engines/*.yaml"),
    "settings": (SettingsFile, "draftctl.yaml"),
}
_TEXT = ["string", "number", "boolean"]


def schemas(vocab: Vocab, canon: Canon) -> dict[str, dict[str, Any]]:
    """Return the schema of each kind of file by its path in the workspace."""
    words = _words(vocab, canon)
    found = {}
    for kind, (model, where) in KINDS.items():
        made = model.model_json_schema(by_alias=True)
        schema = {**_readable(made, {} if kind == "vocab" else words, ()), "title": where}
        found[f"{FOLDER}/{kind}.schema.json"] = _draft_7(schema)
    return found


def schema_texts(vocab: Vocab, canon: Canon) -> dict[str, str]:
    """Return each schema's file as it is written."""
    return {
        path: json.dumps(schema, ensure_ascii=False, indent=1) + "\n" for path, schema in schemas(vocab, canon).items()
    }


def _words(vocab: Vocab, canon: Canon) -> Mapping[str, Sequence[str]]:
    """Return the words that a field of a name takes."""
    keys = [*canon.notes, *(note.name for note in canon.notes.values()), *canon.aliases]
    holds = [*sorted(HOLDS), *(f"gate:{gate.name}" for gate in GATES)]
    states = list(vocab.states)
    return {
        "archetypes": vocab.archetypes, "archetype": vocab.archetypes, "states": states, "state": states, "was": states, "next": states,
        "templateKeys": keys, "templateKey": keys, "pastebin": keys, "check": [gate.name for gate in GATES], "held": holds,
    }  # fmt: skip


def _readable(schema: Any, words: Mapping[str, Sequence[str]], path: tuple[str, ...]) -> Any:
    """Let text be written as a number, and put the words in where a field of that name takes them."""
    if isinstance(schema, list):
        return [_readable(item, words, path) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = next((part for part in reversed(path) if part not in ("items", "anyOf")), "")
    if schema.get("type") == "string" and "enum" not in schema and "const" not in schema and "pattern" not in schema:
        listed = words.get(name)
        rest = {key: value for key, value in schema.items() if key not in ("type", "title")}
        return {**rest, **({"enum": list(dict.fromkeys(listed))} if listed else {"type": _TEXT})}
    return {
        key: _readable(value, words, (*path, key) if key != "properties" else path)
        for key, value in schema.items()
        if key != "title" or not isinstance(value, str)
    }


def _draft_7(schema: Any) -> Any:
    """Return the schema in the words of draft 7, which editors know best: `$defs` are `definitions` there."""
    text = canonical_json(schema)
    return json.loads(text.replace('"$defs"', '"definitions"').replace("#/$defs/", "#/definitions/"))
