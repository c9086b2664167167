"""The full-screen review: the thread above, the draft below, one key each. It works over SSH from 40 by 20 characters on.

Every key that decides is committed before the next item is drawn: what has left the screen is in the database.
"""

import sqlite3
from collections.abc import Callable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.events import Key
from textual.widgets import Input, Static, TextArea

from draftctl.cli.context import visible
from draftctl.cli.editor import edited_text
from draftctl.corrections import REASON_TAGS
from draftctl.errors import DraftctlError, UsageError
from draftctl.review_session import ReviewSession
from draftctl.store.corrections import Corrected
from draftctl.store.reviewing import Item
from draftctl.tui_parts import Help, hold_text, messages_text
from draftctl.wording import word_diff

NARROW = 60  # columns; below, the keys take two lines
REFRESH_S = 5.0
_KEYS_WIDE = "a approve e edit E editor r reject h hold n anew s skip u undo d diff ? keys q"
_KEYS_NARROW = "a ok  e edit  r no  h hold  n anew\ns skip  u undo  d diff  ? keys  q"


class ReviewApp(App[None]):
    """One reviewer's screen over one session."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #head { height: auto; max-height: 3; background: $panel; padding: 0 1; }
    #thread { height: 1fr; min-height: 3; padding: 0 1; }
    #below { height: auto; max-height: 60%; border-top: solid $accent; padding: 0 1; }
    #draft { height: auto; }
    #editor { height: 7; border: none; padding: 0; display: none; }
    #gates { height: auto; max-height: 4; }
    #ask { border: none; height: 1; padding: 0; display: none; }
    #keys { height: auto; dock: bottom; background: $panel; padding: 0 1; }
    #help { width: 90%; height: 90%; background: $panel; border: solid $accent; }
    Help { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "send", priority=True),
        Binding("escape", "leave", priority=True),
        Binding("ctrl+c", "quit", priority=True),
    ]

    def __init__(self, session: ReviewSession) -> None:
        super().__init__()
        self._session = session
        self._mode = "read"
        self._asked: Callable[[str], None] = lambda _text: None
        self._kind = ""
        self._problem = ""
        self._diff = False
        self._why: str | None = None
        self._warned = False

    def compose(self) -> ComposeResult:
        """Lay the screen out."""
        yield Static(id="head")
        yield VerticalScroll(Static(id="messages"), id="thread")
        with Vertical(id="below"):
            yield Static(id="draft")
            yield TextArea(id="editor", soft_wrap=True, tab_behavior="focus")
            yield Static(id="gates")
            yield Input(id="ask")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Show the first item, and look from time to time whether it is stale."""
        self._session.next()
        self._draw(whole=True)
        self.set_interval(REFRESH_S, self._refresh)

    def on_resize(self) -> None:
        """Lay the keys out for the new width."""
        self.query_one("#keys", Static).update(self._keys())

    def on_key(self, event: Key) -> None:
        """Do what a key says; while somebody types, keys are letters. A text that is not sent yet stands in the way of other keys."""
        self._session.active.touch()
        if self._mode != "read" or len(self.screen_stack) > 1:
            return
        act = self._acts().get(event.character or "")
        if act is not None:
            event.stop()
            self._problem = ""
            self._try(self._keep_unsent if self._session.unsent and str(event.character) in "arhnsuq" else act)
        elif event.character and self._tag(event.character):
            self._draw()

    def _acts(self) -> dict[str, Callable[[], None]]:
        return {
            "a": self._approve,
            "e": self._edit,
            "E": self._edit_outside,
            "r": self._reject,
            "h": lambda: self._ask("hold", "Why hold it?", self._hold),
            "n": lambda: self._ask("redraft", "What should the reply be? (empty: just anew)", self._redraft),
            "s": self._next,
            "u": self._undo,
            "d": self._toggle_diff,
            "?": self._help,
            "q": self.exit,
        }

    def _try(self, act: Callable[[], None]) -> None:
        """Do something; what cannot be done is said below the draft, and nothing is lost."""
        try:
            act()
        except (DraftctlError, sqlite3.Error) as error:
            self._problem = (
                f"{error.message} {error.hint}".rstrip()
                if isinstance(error, DraftctlError)
                else f"the database: {error}"
            )
            self._draw()

    # what the keys do

    def _keep_unsent(self) -> None:
        raise UsageError("Your text is not sent yet: e goes on with it, Esc drops it.")

    def _approve(self) -> None:
        if self._overturns():
            self._ask("approve", "It was rejected. Why let it go?", self._approve_because)
            return
        self._after(self._session.approve())

    def _approve_because(self, why: str) -> None:
        if not why:
            raise UsageError("A rejection is overturned only with a reason.")
        self._after(self._session.approve(why=why))

    def _overturns(self) -> bool:
        item = self._session.item
        return item is not None and item.standing == "rejected"

    def _edit(self) -> None:
        item = self._item()
        editor = self.query_one("#editor", TextArea)
        editor.text = self._session.unsent or item.shown
        editor.display = True
        self.query_one("#draft").display = False
        self._mode = "edit"
        editor.focus()
        editor.move_cursor(editor.document.end)
        self._draw()

    def _edit_outside(self) -> None:
        item = self._item()
        with self.suspend():
            text = edited_text(self._session.unsent or item.shown)
        if text == item.shown:
            raise UsageError("The text is as it was; `a` lets it go." if item.body else "There is no text yet.")
        self._send(text)

    def _send(self, text: str) -> None:
        self._session.unsent = text
        if self._overturns() and self._why is None:
            self._ask("approve", "It was rejected. Why send this?", lambda why: self._send_because(text, why))
            return
        self._after(self._session.edit(text, note=self._why))

    def _send_because(self, text: str, why: str) -> None:
        if not why:
            raise UsageError("A rejection is overturned only with a reason. Your text is kept: e goes on with it.")
        self._why = why
        self._send(text)

    def _reject(self) -> None:
        if self._session.tags:
            self._after(self._session.reject())
        else:
            self._ask(
                "reject", "Why? 1-9 or words, then Enter", lambda why: self._after(self._session.reject(why or None))
            )

    def _hold(self, why: str) -> None:
        if not why:
            raise UsageError("A hold needs a word why.")
        self._session.hold(why)
        self._next()

    def _redraft(self, note: str) -> None:
        self._session.requeue(note or None)
        self._next()

    def _undo(self) -> None:
        self._session.undo()
        self._fresh()

    def _toggle_diff(self) -> None:
        self._diff = not self._diff
        self._draw()

    def _help(self) -> None:
        self.push_screen(Help())

    def _tag(self, character: str) -> bool:
        """Set or drop the tag of a digit; say whether there is one."""
        if len(character) != 1 or character not in "123456789"[: len(REASON_TAGS)]:
            return False
        self._session.tags ^= {REASON_TAGS[int(character) - 1]}
        return True

    def _after(self, done: Corrected) -> None:
        """Go on; a text that cannot leave is kept, and is said."""
        self._next()
        if done.stopped_by:
            why = f"stopped by {', '.join(done.hits)}" if done.hits else "a newer message has come"
            self._problem = f"Kept, not sent: {why}. u takes you back to it."
            self._draw()

    def _next(self) -> None:
        self._session.next()
        self._fresh()

    def _fresh(self) -> None:
        self._why, self._diff = None, False
        self._read()
        self._draw(whole=True)

    # typing

    def action_send(self) -> None:
        """Take what was typed in the editor."""
        if self._mode == "edit":
            self._try(lambda: self._send(self.query_one("#editor", TextArea).text))

    def action_leave(self) -> None:
        """Leave the editor or the question and keep what was typed; while reading, drop a text that was not sent."""
        if len(self.screen_stack) > 1:
            self.pop_screen()
            return
        item = self._session.item
        if self._mode == "edit":
            typed = self.query_one("#editor", TextArea).text
            self._session.unsent = typed if item and typed.strip() != item.shown.strip() else ""
        elif self._mode == "read":
            self._session.unsent = ""
        self._problem = ""
        self._read()
        self._draw()

    async def action_quit(self) -> None:
        """Stop; a text that is not sent yet is kept once more before it goes."""
        if self._mode == "edit":
            self.action_leave()
        if self._session.unsent and not self._warned:
            self._warned = True
            self._problem = "Your text is not sent yet: e goes on with it, Ctrl-C once more leaves it."
            self._draw()
            return
        self.exit()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the answer to a question; a digit alone is a reason of the list."""
        text = event.value.strip()
        self._answer("" if self._kind == "reject" and self._tag(text) else text)

    def on_text_area_changed(self) -> None:
        """Say what would stop the text, as it is typed."""
        if self._mode == "edit":
            self._problem = ""
            self._draw()

    def _answer(self, text: str) -> None:
        self._read()
        self._try(lambda: self._asked(text))

    def _ask(self, kind: str, question: str, then: Callable[[str], None]) -> None:
        self._item()
        self._kind, self._asked, self._mode = kind, then, "ask"
        ask = self.query_one("#ask", Input)
        ask.value, ask.placeholder, ask.display = "", question, True
        ask.focus()
        self._draw()

    def _read(self) -> None:
        """Go back to reading."""
        self._mode = "read"
        self.query_one("#editor").display = False
        self.query_one("#ask").display = False
        self.query_one("#draft").display = True
        self.set_focus(None)

    def _item(self) -> Item:
        if self._session.item is None:
            raise UsageError("There is nothing more to review.")
        return self._session.item

    # what is seen

    def _refresh(self) -> None:
        before = self._session.item
        try:
            if before is not None and self._session.refresh() != before:
                self._draw()
        except (DraftctlError, sqlite3.Error):
            return  # it is looked at again in a moment

    def _draw(self, *, whole: bool = False) -> None:
        item = self._session.item
        self.query_one("#head", Static).update(self._head(item))
        self.query_one("#draft", Static).update(self._draft(item))
        self.query_one("#gates", Static).update(self._gates(item))
        self.query_one("#keys", Static).update(self._keys())
        if whole:
            self.query_one("#messages", Static).update(messages_text(item))
            self.query_one("#thread", VerticalScroll).scroll_end(animate=False)

    def _head(self, item: Item | None) -> Text:
        left = ", ".join(f"{n:,} {status}" for status, n in self._session.left.items())
        if item is None:
            return Text(f"Nothing more waits for you here ({left}). q stops, u takes the last thing back.")
        build = item.engine_id.rpartition("_")[2] if "_" in item.engine_id else item.engine_id
        parts = (item.candidate_id, item.template_key, item.archetype, item.workflow, build)
        text = Text(" · ".join(visible(part) for part in parts if part), style="bold")
        if item.stale:
            text.append("  STALE: a newer message has come", style="bold reverse")
        return text.append(f"\n{left} left, {self._session.decided} decided here", style="not bold")

    def _draft(self, item: Item | None) -> Text:
        if item is None:
            return Text("")
        unsent = self._session.unsent
        if self._diff and item.body:
            return word_diff(visible(item.body), visible(unsent or item.shown))
        if unsent:
            return Text("yours, not sent  ", style="bold yellow").append(visible(unsent), style="not bold default")
        text = Text("draft ", style="dim").append(visible(item.shown), style="not dim")
        holds = [hold_text(item)] if item.hold_reason else []
        return Text("\n").join([*holds, *([text] if item.shown else [])])

    def _gates(self, item: Item | None) -> Text:
        if self._problem:
            return Text(visible(self._problem), style="bold red")
        if item is None:
            return Text("")
        body = self.query_one("#editor", TextArea).text if self._mode == "edit" else self._session.unsent or item.shown
        if not body and self._mode != "edit":
            return Text("e writes the answer, n has it drafted anew", style="dim")
        hits = ", ".join(f"{gate} ({rule})" for gate, rule in self._session.hits(body))
        text = Text(f"{len(body.strip())} characters; ", style="dim")
        text.append(f"stopped by {hits}" if hits else "no gate stops it", style="bold red" if hits else "green")
        if item.standing:
            text.append(f"; {item.standing} so far", style="bold")
        if self._session.tags:
            text.append(f"; tags: {', '.join(sorted(self._session.tags))}", style="bold")
        return text

    def _keys(self) -> Text:
        if self._mode == "edit":
            return Text(
                "Ctrl-S sends it · Esc back, kept"
                if self.size.width < NARROW
                else "Ctrl-S sends your text · Esc goes back and keeps it"
            )
        if self._mode == "ask":
            return Text("Enter takes it · Esc goes back")
        return Text(_KEYS_WIDE if self.size.width >= len(_KEYS_WIDE) + 2 else _KEYS_NARROW)
