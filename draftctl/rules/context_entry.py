"""E-CONTEXT: what the context names is known and there."""

from draftctl.chainset import text_path
from draftctl.rules.base import Found, Rule, Written
from draftctl.workflow import ContextItem, read_context
from draftctl.workflow_file import ContextFile


def _check(written: Written) -> Found:
    if written.file is None:
        return
    yield from (
        one for one in read_context(written.document, written.file.context)[1] if not _spoiled(written, one.line)
    )
    for n, entry in enumerate(written.file.context if written.canon else ()):
        one = isinstance(entry, ContextFile) and len(entry.model_dump(exclude_none=True)) == 1
        for kind in ("voice", "rules", "safety") if one else ():
            name = getattr(entry, kind)
            path = text_path(ContextItem(kind=kind, name=name or ""))
            if name is not None and written.canon and path not in written.canon.texts:
                yield written.at(("context", n, kind), f"there is no {path}")


def _spoiled(written: Written, line: int) -> bool:
    return any(
        path[:1] == ("context",) and written.document.problem(path, "", "").line == line
        for path in written.document.spoiled
    )


RULE = Rule(
    id="E-CONTEXT",
    title="The context names what is not there",
    why="The model would be told less than its writer thinks.",
    fix="`pastebin canon`, `voice rules`, `safety rules`, or `pastebin: [keys]`, `voice: NAME`, `rules: NAME`, `safety: NAME` for pastebin/<kind>-NAME.md.",
    of_file=_check,
)
