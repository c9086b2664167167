"""One static HTML page: drafts, holds, what people said of them, how long that took, what it cost. Pure; no script, no network."""

from collections.abc import Callable, Mapping, Sequence
from html import escape

from draftctl.store.figures import Figures, Judged

_WIDTH, _HEIGHT, _LEFT, _BELOW = 720, 180, 44, 22
_COLOURS = ("#2f6f9f", "#c2703d", "#5b8c5a", "#8a5a83", "#b39b3c", "#5f6b7a")
_DAYS = 60
_LABELS = 8
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.note { color: #767676; margin: .25rem 0; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; overflow-wrap: anywhere; min-width: 9rem; }
div.wide { overflow-x: auto; } svg { max-width: 100%; height: auto; } svg text { font-size: 11px; fill: currentColor; }
dl { display: flex; flex-wrap: wrap; gap: 1.5rem; } dt { color: #767676; } dd { margin: 0; font-size: 1.4rem; }
"""


def report_page(figures: Figures, *, made_at: str, persona: str) -> str:
    """Return the page."""
    title = f"draftctl: {persona}'s drafts"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=note>{escape(figures.first or 'nothing yet')} to {escape(figures.last or 'now')}, made {escape(made_at)}</p>",
        _summary(figures),
        _drafts_plot(figures),
        _section(
            "What people said, by week", _verdict_plot(figures.by_week) + _judged_table("week of", figures.by_week)
        ),
        _section("By build", _judged_table("build", figures.by_build, figures.drafts_by_build)),
        _section("By workflow", _judged_table("workflow", figures.by_workflow)),
        _section("What holds now, and why", _bars(figures.holds.most_common())),
        _section(
            "Why drafts were changed or rejected", _bars(figures.tags.most_common(), empty="No reason was given yet.")
        ),
        _section("Replies that a gate stopped, by build", _violations(figures)),
        _section("What the GPU cost, by day (US dollars)", _cost_plot(figures.cost_by_day)),
    ]
    body = "\n".join(parts)
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width, initial-scale=1'><title>{escape(title)}</title>"
    return f"<!doctype html><html lang=en><head>{head}<style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{content}"


def _summary(figures: Figures) -> str:
    every = Judged()
    for judged in figures.by_build.values():
        every.approved += judged.approved
        every.edited += judged.edited
        every.rejected += judged.rejected
        every.shares += judged.shares
        every.seconds += judged.seconds
    drafted = sum(n for day in figures.drafted_by_day.values() for n in day.values())
    facts = (
        ("drafts", f"{drafted:,}"),
        ("held now", f"{figures.holds.total():,}"),
        ("sent", f"{figures.sent:,}"),
        ("went as drafted", _percent(every.as_sent)),
        ("edits that are light", _percent(every.light)),
        ("seconds a decision", _number(every.median_s)),
        ("US dollars", f"{sum(figures.cost_by_day.values()):,.2f}"),
    )
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts) + "</dl>"


def _judged_table(name: str, groups: Mapping[str, Judged], drafts: Mapping[str, int] | None = None) -> str:
    if not groups:
        return "<p class=note>Nobody has reviewed anything yet.</p>"
    columns: list[tuple[str, Callable[[str, Judged], str]]] = [
        ("verdicts", lambda _key, j: f"{j.count:,}"),
        ("as drafted", lambda _key, j: _percent(j.as_sent)),
        ("edited", lambda _key, j: f"{j.edited:,}"),
        ("of them light (< 40 %)", lambda _key, j: _percent(j.light)),
        ("rejected", lambda _key, j: f"{j.rejected:,}"),
        ("median s", lambda _key, j: _number(j.median_s)),
    ]
    if drafts is not None:
        columns.insert(0, ("drafts and holds", lambda key, _j: f"{drafts.get(key, 0):,}"))
    head = "".join(f"<th>{escape(title)}</th>" for title, _ in columns)
    rows = "".join(
        f"<tr><td>{escape(key)}</td>{''.join(f'<td>{cell(key, judged)}</td>' for _, cell in columns)}</tr>"
        for key, judged in groups.items()
    )
    return f"<div class=wide><table><tr><th>{escape(name)}</th>{head}</tr>{rows}</table></div>"


def _drafts_plot(figures: Figures) -> str:
    days = sorted(figures.drafted_by_day)[-_DAYS:]
    builds = sorted({build for day in days for build in figures.drafted_by_day[day]})
    stacks = [[*(figures.drafted_by_day[day][build] for build in builds), figures.held_by_day[day]] for day in days]
    return _section("Drafted and held, by day", _stacked(days, stacks, [*builds, "held"]))


def _verdict_plot(weeks: Mapping[str, Judged]) -> str:
    return _stacked(
        list(weeks), [[j.approved, j.edited, j.rejected] for j in weeks.values()], ["as drafted", "edited", "rejected"]
    )


def _cost_plot(days: Mapping[str, float]) -> str:
    last = list(days)[-_DAYS:]
    return (
        _stacked(last, [[days[day]] for day in last], ["US dollars"])
        if days
        else "<p class=note>No GPU was rented.</p>"
    )


def _stacked(labels: Sequence[str], stacks: Sequence[Sequence[float]], names: Sequence[str]) -> str:
    """Return stacked bars as SVG, with the numbers as titles and a legend."""
    if not labels:
        return "<p class=note>Nothing yet.</p>"
    top = max(map(sum, stacks)) or 1
    step = (_WIDTH - _LEFT) / len(labels)
    marks = [
        f"<text x='{_LEFT - 6}' y='{12}' text-anchor='end'>{_number(top)}</text><text x='{_LEFT - 6}' y='{_HEIGHT}' text-anchor='end'>0</text>"
    ]
    for n, (label, stack) in enumerate(zip(labels, stacks, strict=True)):
        y = float(_HEIGHT)
        for k, value in enumerate(stack):
            height = value / top * (_HEIGHT - 8)
            y -= height
            title = f"{label}, {names[k]}: {_number(value)}"
            marks.append(
                f"<rect x='{_LEFT + n * step:.1f}' y='{y:.1f}' width='{min(max(step - 1, 1), 40):.1f}' height='{height:.1f}' "
                f"fill='{_COLOURS[k % len(_COLOURS)]}'><title>{escape(title)}</title></rect>"
            )
        if n % max(1, len(labels) // _LABELS) == 0:
            marks.append(f"<text x='{_LEFT + n * step:.1f}' y='{_HEIGHT + 14}'>{escape(label[5:])}</text>")
    legend = " ".join(
        f"<span style='color:{_COLOURS[k % len(_COLOURS)]}'>&#9632;</span> {escape(name)}"
        for k, name in enumerate(names)
    )
    drawn = "".join(marks)
    return f"<svg viewBox='0 0 {_WIDTH} {_HEIGHT + _BELOW}' role=img>{drawn}</svg><p class=note>{legend}</p>"


def _bars(counts: Sequence[tuple[str, float]], empty: str = "Nothing holds.") -> str:
    if not counts:
        return f"<p class=note>{escape(empty)}</p>"
    top = max(n for _, n in counts)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td style='width:60%'><svg viewBox='0 0 400 12' preserveAspectRatio='none' style='width:100%;height:12px'>"
        f"<rect width='{400 * n / top:.1f}' height='12' fill='{_COLOURS[0]}'/></svg></td><td>{n:,}</td></tr>"
        for name, n in counts
    )
    return f"<table>{rows}</table>"


def _violations(figures: Figures) -> str:
    rows = [
        (f"{build}: {gate} ({1000 * n / max(figures.drafts_by_build[build], 1):.1f} in 1,000)", n)
        for build, gates in sorted(figures.violations.items())
        for gate, n in gates.most_common()
    ]
    return _bars(rows, empty="No gate has stopped a reply.")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:,.1f}"  # noqa: PLR2004
