"""The review with plain prompts, where there is no full screen: one item, one key and Enter."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.console import Console

from draftctl.cli.context import narrate, visible
from draftctl.cli.editor import edited_text
from draftctl.cli.review_text import KEYS, item_text
from draftctl.corrections import REASON_TAGS
from draftctl.errors import UsageError
from draftctl.wording import word_diff

if TYPE_CHECKING:
    from draftctl.review_session import ReviewSession
    from draftctl.store.corrections import Corrected


def plain_review(session: "ReviewSession", console: Console | None = None) -> None:
    """Go through the queue until it is empty or the person stops."""
    console = console or Console(highlight=False, markup=False)
    item = session.next()
    while item is not None:
        left = ", ".join(f"{n} {status}" for status, n in session.left.items())
        console.print(f"\n{item_text(session, item)}\n  ({left}; ? lists the keys)")
        if not _decide(session, console):
            return
        item = session.item
    console.print("Nothing more waits for you.")


def _decide(session: "ReviewSession", console: Console) -> bool:
    """Ask until something is decided; False when the person stops."""
    while True:
        try:
            key = console.input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            return False
        session.active.touch()
        if key in ("q", "Q"):
            return False
        if key == "?":
            console.print("\n".join(f"  {k:<4} {what}" for k, what in KEYS))
            continue
        try:
            if _act(session, console, key):
                return True
        except (EOFError, KeyboardInterrupt):
            console.print("  Not done.")
        except UsageError as error:
            console.print(f"  {error.message} {error.hint}".rstrip())


def _act(session: "ReviewSession", console: Console, key: str) -> bool:
    """Do what a key says; True when there is another item to show."""
    ask = _asking(console)
    if key.isdigit() and 0 < int(key) <= len(REASON_TAGS):
        session.tags ^= {REASON_TAGS[int(key) - 1]}
        console.print(f"  tags: {', '.join(sorted(session.tags)) or 'none'}")
        return False
    if key == "u":
        session.undo()
        return True
    if key == "d" and session.item is not None:
        console.print(word_diff(visible(session.item.body or ""), visible(session.unsent or session.item.shown)))
        return False
    if key not in ("a", "e", "E", "r", "h", "s", "n", "q"):
        console.print("  That is no key here; ? lists them.")
        return False
    _decided(session, key, ask)
    session.next()
    return True


def _decided(session: "ReviewSession", key: str, ask: Callable[[str], str]) -> None:
    item = session.item
    overturned = item is not None and item.standing == "rejected"
    match key:
        case "a":
            session.approve(why=ask("It was rejected. Why let it go?") if overturned else None)
        case "e":
            typed = ask("Your text (empty: the last one that did not go):" if session.unsent else "Your text:")
            _say_stopped(
                session.edit(typed or session.unsent, note=ask("It was rejected. Why?") if overturned else None)
            )
        case "E":
            text = edited_text(session.unsent or (item.shown if item else ""))
            _say_stopped(session.edit(text, note=ask("It was rejected. Why?") if overturned else None))
        case "r":
            session.reject(ask("Why?"))
        case "h":
            session.hold(ask("Why hold it?"))
        case "n":
            session.requeue(ask("What should the reply be? (empty: just draft it anew)") or None)
        case _:
            pass


def _asking(console: Console) -> Callable[[str], str]:
    return lambda question: console.input(f"  {question} ").strip()


def _say_stopped(done: "Corrected") -> None:
    if done.stopped_by:
        why = ", ".join(done.hits) or "a newer message has come"
        narrate(f"  Your text is kept and not released: {why}.")
