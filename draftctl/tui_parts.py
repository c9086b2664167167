"""Parts of the full-screen review: the list of keys, the thread, why something holds."""

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Static

from draftctl.cli.context import visible
from draftctl.cli.review_text import KEYS
from draftctl.store.reviewing import Item


class Help(ModalScreen[None]):
    """The list of keys; any key closes it."""

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield VerticalScroll(Static(Text("\n".join(f" {key:<3} {what}" for key, what in KEYS))), id="help")

    def on_key(self, event: Key) -> None:
        """Close, unless the key scrolls."""
        if event.key not in ("up", "down", "pageup", "pagedown"):
            event.stop()
            self.dismiss()


def messages_text(item: Item | None) -> Text:
    """Return the thread."""
    lines = Text()
    for message in item.messages if item else ():
        theirs = message.role == "prospect"
        lines.append("them  " if theirs else "us    ", style="bold" if theirs else "dim")
        lines.append(visible(message.text) + "\n", style="" if theirs else "dim")
    return lines


def hold_text(item: Item) -> Text:
    """Return why an item holds, and what to do next."""
    text = Text(f"held, {item.hold_reason}: ", style="bold yellow")
    text.append(visible(f"{item.meaning} {item.hold_detail or ''}".rstrip()), style="not bold")
    return text.append(f"\nnext: {visible(item.next_step)}", style="dim not bold")
