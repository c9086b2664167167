"""E-VALUE: a value out of its bounds. Most are found while a file is read; here, texts and versions that say nothing."""

from draftctl.rules.base import Found, Rule, Written

_MAX_VERSION = 64


def _check(written: Written) -> Found:
    for path, text in written.texts:
        if not text.strip():
            yield written.at(path, f"the {path[-1]} has no text")


def _check_file(written: Written) -> Found:
    version = written.file.version if written.file else "1"
    if not version.strip() or len(version) > _MAX_VERSION:
        yield written.at(("version",), "a version is a number or a short word")


RULE = Rule(
    id="E-VALUE",
    title="A value out of its bounds",
    why="It would be refused later, by the server or in the middle of a run.",
    fix="Take a value that the message allows.",
    of_steps=_check,
    of_file=_check_file,
)
