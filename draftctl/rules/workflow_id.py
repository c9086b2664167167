"""E-ID: the id is kebab-case and the file's own name."""

import re

from draftctl.rules.base import Found, Rule, Written

_KEBAB = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def _check(written: Written) -> Found:
    id_ = written.file.id if written.file else ""
    if not _KEBAB.fullmatch(id_):
        yield written.at(("id",), f"the id '{id_}' is not kebab-case (first-reply)")
    elif written.path.removeprefix("workflows/").removesuffix(".yaml") != id_:
        yield written.at(("id",), f"the id is {id_}, but the file is {written.path}")


RULE = Rule(
    id="E-ID",
    title="The id is not the file's name",
    why="Drafts, versions and the lock name a workflow by its id; two names for one file would part its history.",
    fix="Rename the file or the id; small letters, digits and `-`.",
    of_file=_check,
)
