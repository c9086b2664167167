"""An item of the review in words and as JSON, and the keys: what the full screen, the prompts and the command share."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from draftctl.cli.context import bold, indent
from draftctl.corrections import REASON_TAGS

if TYPE_CHECKING:
    from draftctl.review_session import ReviewSession
    from draftctl.store.reviewing import Item

KEYS = (
    ("a", "approve: it goes as it is"),
    ("e", "edit here, then Ctrl-S: your text goes; for a hold: your answer"),
    ("E", "the same in your editor ($EDITOR)"),
    ("r", "reject, with a reason"),
    ("h", "hold it back, with a reason"),
    ("n", "draft it anew, as your note says"),
    ("s", "skip: the next one"),
    ("u", "undo the last thing you did here"),
    ("d", "what you changed, word by word"),
    *((str(n), f"tag: {tag}") for n, tag in enumerate(REASON_TAGS, start=1)),
    ("?", "this list"),
    ("q", "stop"),
)


def item_value(session: "ReviewSession", item: "Item") -> dict[str, Any]:
    """Return an item as JSON."""
    value = asdict(item)
    value["gates"] = [{"gate": gate, "rule": rule} for gate, rule in session.hits(item.shown)]
    return value


def item_text(session: "ReviewSession", item: "Item") -> str:
    """Lay an item out for reading."""
    lines = [
        bold(item.candidate_id) + f"  {' · '.join(filter(None, (item.template_key, item.workflow, item.engine_id)))}"
    ]
    lines += ["  A NEWER MESSAGE HAS COME: this one has its own candidate."] if item.stale else []
    lines += [indent(m.text, "  them: " if m.role == "prospect" else "  us:   ") for m in item.messages]
    if item.hold_reason:
        lines.append(indent(f"{item.meaning} {item.hold_detail or ''}".rstrip(), f"  held, {item.hold_reason}: "))
        lines.append(indent(item.next_step, "    next: "))
    if item.shown:
        lines.append(indent(item.shown, "  draft: "))
        hits = ", ".join(f"{gate} ({rule})" for gate, rule in session.hits(item.shown))
        lines.append(f"  gates: {hits or 'none stops it'}" + (f"; {item.standing} so far" if item.standing else ""))
    return "\n".join(lines)
