"""The curve of cost against waiting, drawn as SVG, and the page around it. Pure."""

import math
from collections.abc import Sequence

from jinja2 import Environment, StrictUndefined

from draftctl.gpu.advice import Choice
from draftctl.settings import span

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 430, 70, 90, 30, 60
_CENTS_BELOW, _HOURS_ABOVE_S = 4, 7200
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{ width }} {{ height }}" font-family="system-ui, sans-serif" font-size="13" role="img"
 aria-label="US dollars a month against the longest wait">
<rect width="{{ width }}" height="{{ height }}" fill="#fff"/>
{% for y, text in grid %}<line x1="{{ left }}" x2="{{ right }}" y1="{{ y }}" y2="{{ y }}" stroke="#e3e3e8"/>
<text x="{{ left - 8 }}" y="{{ y + 4 }}" text-anchor="end" fill="#555">{{ text }}</text>
{% endfor %}{% for x, text in ticks %}<text x="{{ x }}" y="{{ bottom + 20 }}" text-anchor="middle" fill="#555">{{ text }}</text>
{% endfor %}<text x="{{ (left + right) / 2 }}" y="{{ height - 12 }}" text-anchor="middle" fill="#333">max_wait: how long a message may wait for its draft</text>
<text x="{{ left - 52 }}" y="{{ top - 12 }}" fill="#1b5e9e" font-weight="600">US dollars in 30 days</text>
<text x="{{ right + 80 }}" y="{{ top - 12 }}" text-anchor="end" fill="#b3541e" font-weight="600">p95 of the waits</text>
{% for y, text in waits %}<text x="{{ right + 8 }}" y="{{ y + 4 }}" fill="#b3541e">{{ text }}</text>
{% endfor %}<polyline points="{{ p95 }}" fill="none" stroke="#b3541e" stroke-width="2" stroke-dasharray="5 4"/>
<polyline points="{{ cost }}" fill="none" stroke="#1b5e9e" stroke-width="2.5"/>
{% for x, y, text, now in dots %}<circle cx="{{ x }}" cy="{{ y }}" r="{{ 7 if now else 4 }}" fill="#1b5e9e"/>
<text x="{{ x }}" y="{{ y - 11 }}" text-anchor="middle" fill="#1b5e9e" stroke="#fff" stroke-width="3" paint-order="stroke" font-weight="{{ 700 if now else 400 }}">{{ text }}</text>
{% endfor %}</svg>
"""
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What waiting costs</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%}td,th{white-space:nowrap;padding:.35rem .6rem;text-align:right;border-bottom:1px solid #e3e3e8}th{color:#555;font-weight:600}
tr.now{background:#eef4fb;font-weight:600}svg{width:100%;height:auto}</style>
<h1>What waiting costs</h1>
<p>{{ intro }}</p>
{{ svg }}
<table><tr><th>max_wait</th><th>$ in 30 days</th><th>median wait</th><th>p95</th><th>late</th><th>starts a day</th><th>times the clairvoyant</th></tr>
{% for row in rows %}<tr{{ ' class="now"' if row.now else '' }}>{% for cell in row.cells %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}</table>
<p>A boot is nearly all of a session's cost, so the longer a message may wait, the more of them share one. "Late" counts messages that
waited longer than max_wait; below a boot's time nobody can be faster. The clairvoyant knows every message beforehand.</p>
</html>
"""


def svg(choices: Sequence[Choice], current_s: float) -> str:
    """Draw cost and p95 wait against max_wait; the current setting's dot is larger."""
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
    step = (right - _LEFT) / max(1, len(choices) - 1)
    xs = [round(_LEFT + n * step, 1) for n in range(len(choices))]
    top_usd = _nice(1.12 * max((c.usd_per_month for c in choices), default=1.0))
    longest_s = max((c.wait_p95_s for c in choices), default=1.0)
    unit_s = 3600 if longest_s > _HOURS_ABOVE_S else 60
    top_wait = _nice(longest_s / unit_s) * unit_s

    def y(value: float, top: float) -> float:
        return round(bottom - (bottom - _TOP) * value / top, 1)

    return _render(
        _SVG,
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        right=right,
        top=_TOP,
        bottom=bottom,
        grid=[
            (
                y(top_usd * k / 4, top_usd),
                f"${top_usd * k / 4:,.0f}" if top_usd > _CENTS_BELOW else f"${top_usd * k / 4:.2f}",
            )
            for k in range(5)
        ],
        waits=[(y(top_wait * k / 4, top_wait), span(top_wait * k / 4)) for k in range(1, 5)],
        ticks=[(x, span(c.max_wait_s) if c.max_wait_s else "at once") for x, c in zip(xs, choices, strict=True)],
        cost=" ".join(f"{x},{y(c.usd_per_month, top_usd)}" for x, c in zip(xs, choices, strict=True)),
        p95=" ".join(f"{x},{y(c.wait_p95_s, top_wait)}" for x, c in zip(xs, choices, strict=True)),
        dots=[
            (x, y(c.usd_per_month, top_usd), f"${c.usd_per_month:,.2f}", c.max_wait_s == current_s)
            for x, c in zip(xs, choices, strict=True)
        ],
    )


def page(choices: Sequence[Choice], current_s: float, intro: str) -> str:
    """Return the page: the curve and its table."""
    rows = [{"now": c.max_wait_s == current_s, "cells": cells(c)} for c in choices]
    return _render(_PAGE, intro=intro, svg=svg(choices, current_s), rows=rows)


def cells(choice: Choice) -> list[str]:
    """Return one row of the table."""
    return [
        span(choice.max_wait_s) if choice.max_wait_s else "at once",
        f"${choice.usd_per_month:,.2f}",
        span(choice.wait_p50_s),
        span(choice.wait_p95_s),
        str(choice.late) if choice.max_wait_s else "-",
        f"{choice.starts_per_day:.1f}",
        "-" if choice.ratio is None else f"{choice.ratio:.2f}",
    ]


def _nice(value: float) -> float:
    """Return the next round number at or above a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 5, 8, 10) if power * step >= value)


def _render(template: str, **values: object) -> str:
    return Environment(undefined=StrictUndefined, autoescape=False).from_string(template).render(**values)  # noqa: S701  (numbers of ours alone)
