"""E-NOTE: a note that the pastebin does not have."""

from draftctl.rules.base import Found, Rule, Written
from draftctl.workflow_file import ContextFile


def _check(written: Written) -> Found:
    canon = written.canon
    if canon is None:
        return
    for path, text, key, offset, where in written.notes_named():
        if canon.find(key) is None:
            yield written.in_text(path, text, offset, where + canon.unknown(key))


def _check_file(written: Written) -> Found:
    canon = written.canon
    if canon is None or written.file is None:
        return
    for n, word in enumerate(written.file.applies_to.template_keys):
        if canon.find(word) is None:
            yield written.at(("appliesTo", "templateKeys", n), canon.unknown(word))
    for n, entry in enumerate(written.file.context):
        for m, word in enumerate(entry.pastebin or () if isinstance(entry, ContextFile) else ()):
            if canon.find(word) is None:
                yield written.at(("context", n, "pastebin", m), canon.unknown(word))
    for n, test in enumerate(written.file.tests):
        if test.template_key is not None and canon.find(test.template_key) is None:
            yield written.at(("tests", n, "templateKey"), canon.unknown(test.template_key))


RULE = Rule(
    id="E-NOTE",
    title="There is no such note",
    why="⑰ (U+2470) and ⓱ (U+24F1) look the same and are two keys; a key is compared as the exact character.",
    fix="Take the key or the name of a note of pastebin/notes.yaml, or make the look-alike an alias there.",
    of_steps=_check,
    of_file=_check_file,
)
