"""The progress bar of a run: drafted, held, rate and time left; nothing at all where no person watches."""

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

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
