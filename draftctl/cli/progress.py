"""What a person who watches sees: the bar of a run, and how far a droplet is; nothing that moves where nobody watches."""

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from draftctl.cli.context import narrate

if TYPE_CHECKING:
    from draftctl.batch import Report


class Progress:
    """A bar on stderr while it is open."""

    def __init__(self, *, visible: bool) -> None:
        self._visible = visible
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, waiting: int) -> None:
        """Show the bar, for so many candidates."""
        if not self._visible or not waiting:
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[line]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
        )
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True, refresh_per_second=8)
        self._task = self._bar.add_task("", total=waiting, line="starting")
        self._bar.start()

    def update(self, report: "Report") -> None:
        """Move the bar."""
        if self._bar is None:
            return
        speed = self._bar.tasks[0].speed
        line = f"{report.drafted} drafted, {report.held} held" + (f", {speed:.0f}/s" if speed else "")
        self._bar.update(self._task, completed=report.claimed, line=line)


class Waiting:
    """How far a droplet is: its phases as lines, and below them the state and the minutes."""

    def __init__(self, *, visible: bool) -> None:
        self._visible = visible
        self._status: Any = None

    def __enter__(self) -> Self:
        if self._visible:
            from rich.console import Console

            self._status = Console(stderr=True, highlight=False).status("asking for a droplet")
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, text: str) -> None:
        """Print a line above what moves."""
        if self._status is None:
            narrate(text)
        else:
            self._status.console.print(text, markup=False)

    def show(self, state: str, since: float) -> None:
        """Show the state, and how long it has been going on since a moment (unix seconds)."""
        if self._status is not None:
            minutes, seconds = divmod(max(0, int(time.time() - since)), 60)
            self._status.update(f"{state}, {minutes}:{seconds:02d} since it was asked for (Ctrl-C leaves it going)")
