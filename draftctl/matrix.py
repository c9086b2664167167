"""The whole grid, archetype x state x templateKey, for people to look at: a table, one HTML page, and the value behind both. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from draftctl.canon import Canon
from draftctl.chainset import ChainSet
from draftctl.errors import cell_width
from draftctl.routing import Cell, Choice, Grid

GAP, TIE, BROKEN = ".", "!", "x"
_SIGNS = ascii_lowercase.replace("x", "") + ascii_uppercase.replace("X", "")
_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """A grid with what it needs to be shown: the notes' names, the workflows' versions, and a sign for each workflow."""

    grid: Grid
    notes: Mapping[str, str]
    versions: Mapping[str, str]
    broken: frozenset[str]
    signs: Mapping[str, str]

    @classmethod
    def of(cls, grid: Grid, chains: ChainSet, canon: Canon) -> "Matrix":
        """Make a matrix of a grid."""
        ids = sorted({*chains.workflows, *chains.broken})
        return cls(
            grid=grid,
            notes={key: canon.notes[key].name for key in grid.template_keys},
            versions={id_: chains.workflows[id_].version for id_ in chains.workflows},
            broken=frozenset(chains.broken),
            signs={id_: _SIGNS[n] if n < len(_SIGNS) else str(n) for n, id_ in enumerate(ids)},
        )

    def state_of(self, choice: Choice) -> str:
        """Return `winner`, `gap`, `ambiguous` or `broken` (the file of the one that wins cannot be used)."""
        if choice.winner is None:
            return "gap" if choice.reason == "none" else "ambiguous"
        return "broken" if choice.winner.id in self.broken else "winner"

    def sign(self, choice: Choice) -> str:
        """Return a cell's sign in the table."""
        marks = {"gap": GAP, "ambiguous": TIE, "broken": BROKEN}
        state = self.state_of(choice)
        return marks.get(state) or self.signs[choice.winner.id if choice.winner else ""]

    def wins(self) -> dict[str, int]:
        """Return in how many cells each workflow wins."""
        won = dict.fromkeys(self.signs, 0)
        for choice in self.grid.choices.values():
            if choice.winner is not None:
                won[choice.winner.id] += 1
        return won


def matrix_value(matrix: Matrix) -> dict[str, Any]:
    """Return the grid as JSON: every cell with its winner, and what is not decided."""
    listed = [
        {
            "archetype": cell.archetype,
            "state": cell.state,
            "template_key": cell.template_key,
            "is": matrix.state_of(choice),
            "winner": choice.winner.id if choice.winner else None,
            "reason": choice.reason,
            "tied": [entry.id for entry in choice.tied],
        }
        for cell, choice in matrix.grid.choices.items()
    ]
    counts = {
        name: sum(1 for cell in listed if cell["is"] == name) for name in ("winner", "gap", "ambiguous", "broken")
    }
    won = matrix.wins()
    return {
        "archetypes": list(matrix.grid.archetypes),
        "states": list(matrix.grid.states),
        "template_keys": [{"key": key, "name": name} for key, name in matrix.notes.items()],
        "workflows": [{"id": id_, "version": matrix.versions.get(id_), "wins": won[id_]} for id_ in matrix.signs],
        "counts": counts,
        "cells": listed,
    }


def matrix_lines(matrix: Matrix) -> list[str]:
    """Return the grid as a table: situations that look alike in one line, a column for each note, and what the signs mean."""
    rows = [(label, signs) for signs, label in _alike(matrix)]
    width = max([_width(label) for label, _ in rows], default=0)
    keys = matrix.grid.template_keys
    widths = [max(_width(key), 1) for key in keys]
    lines = [" " * width + "  " + " ".join(keys)]
    lines += [
        label
        + " " * (width - _width(label))
        + "  "
        + " ".join(sign + " " * (w - 1) for sign, w in zip(signs, widths, strict=True))
        for label, signs in rows
    ]
    won = matrix.wins()
    lines += [""]
    for id_, sign in matrix.signs.items():
        about = "its file is broken" if id_ in matrix.broken else f"version {matrix.versions[id_]}"
        lines.append(f"  {sign}  {id_}, {about}, {won[id_]} cell{'' if won[id_] == 1 else 's'}")
    counts = matrix_value(matrix)["counts"]
    lines += [
        f"  {GAP}  no workflow: {counts['gap']}   {TIE}  ambiguous: {counts['ambiguous']}   {BROKEN}  broken: {counts['broken']}   of {len(matrix.grid.choices)} cells"
    ]
    return lines + _ties(matrix)


def _width(text: str) -> int:
    return sum(map(cell_width, text))


def _ties(matrix: Matrix) -> list[str]:
    by_tie: dict[str, list[Cell]] = {}
    for cell in matrix.grid.where("ambiguous"):
        by_tie.setdefault(", ".join(entry.id for entry in matrix.grid.choices[cell].tied), []).append(cell)
    lines = [""] if by_tie else []
    for ids, cells in list(by_tie.items())[:_SHOWN]:
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        lines.append(f"  {TIE}  {ids}: {cells[0].spelled}{more}")
    return lines


def _alike(matrix: Matrix) -> list[tuple[tuple[str, ...], str]]:
    """Return the rows of the table: each pattern of signs with the situations that have it, put into few words."""
    grid = matrix.grid
    by_pattern: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for archetype in grid.archetypes:
        for state in grid.states:
            here = (Cell(archetype=archetype, state=state, template_key=key) for key in grid.template_keys)
            signs = tuple(matrix.sign(grid.choices[cell]) for cell in here)
            by_pattern.setdefault(signs, {}).setdefault(archetype, []).append(state)
    rows = []
    for signs, states_of in by_pattern.items():
        by_states: dict[tuple[str, ...], list[str]] = {}
        for archetype, states in states_of.items():
            by_states.setdefault(tuple(states), []).append(archetype)
        rows += [
            (signs, f"{_listed(archetypes, grid.archetypes)} x {_listed(some, grid.states)}")
            for some, archetypes in by_states.items()
        ]
    return rows


def _listed(some: Sequence[str], every: Iterable[str]) -> str:
    return "any" if list(some) == list(every) else ", ".join(some)


def matrix_page(matrix: Matrix, title: str) -> str:
    """Return the grid as one HTML page that needs nothing else: a table for each archetype, a colour for each workflow."""
    from jinja2 import Environment  # noqa: PLC0415  (a page's path only)

    grid = matrix.grid
    tables = [
        {
            "archetype": archetype,
            "rows": [
                {
                    "state": state,
                    "cells": [_cell(matrix, Cell(archetype=archetype, state=state, template_key=key)) for key in grid.template_keys],
                }
                for state in grid.states
            ],
        }
        for archetype in grid.archetypes
    ]  # fmt: skip
    value = matrix_value(matrix)
    hues = {id_: round(n * 360 / max(len(matrix.signs), 1)) for n, id_ in enumerate(matrix.signs)}
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(_PAGE)
    return page.render(
        title=title,
        tables=tables,
        notes=matrix.notes,
        workflows=value["workflows"],
        counts=value["counts"],
        hues=hues,
        signs=matrix.signs,
    )


def _cell(matrix: Matrix, cell: Cell) -> dict[str, str]:
    choice = matrix.grid.choices[cell]
    state = matrix.state_of(choice)
    winner = choice.winner.id if choice.winner else ""
    beaten = ", ".join(entry.id for entry in choice.matching if entry.id != winner)
    why = choice.detail + (f" (beaten: {beaten})" if winner and beaten else "")
    return {"is": state, "winner": winner, "sign": matrix.sign(choice), "why": f"{cell.spelled}: {why}"}


_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { color-scheme: light dark; --l: 88%; --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --l: 28%; } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: .2rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; } th, td { border: 1px solid var(--line); padding: .25rem; text-align: center; overflow: hidden; }
th { font-weight: 500; } thead th small { display: block; font-weight: 400; font-size: .6rem; opacity: .75; hyphens: auto; line-height: 1.15; }
th:first-child { width: 7rem; text-align: left; } td { cursor: default; font-variant-numeric: tabular-nums; }
td.winner, .chip { background: hsl(var(--h) 65% var(--l)); }
td.gap { color: #8888; } td.ambiguous { background: #d33; color: #fff; font-weight: 700; } td.broken { background: #a60; color: #fff; font-weight: 700; }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .4rem; } .chip { border-radius: .4rem; padding: .15rem .5rem; border: 2px solid transparent; cursor: pointer; font: inherit; color: inherit; }
.chip.on { border-color: currentColor; } body.pick td.winner:not(.on) { background: none; opacity: .35; }
p.counts { opacity: .85; }
</style>
<h1>{{ title }}</h1>
<p class="counts">{{ counts.winner }} cells have a workflow, {{ counts.gap }} have none (.), {{ counts.ambiguous }} are ambiguous (!), {{ counts.broken }} belong to a broken file (x). Point at a cell to see why.</p>
<ul>
{% for one in workflows %}
<li><button class="chip" style="--h: {{ hues[one.id] }}" data-id="{{ one.id }}">{{ signs[one.id] }} &nbsp;{{ one.id }}{% if one.version is not none %}, version {{ one.version }}{% endif %}: {{ one.wins }}</button></li>
{% endfor %}
</ul>
{% for table in tables %}
<h2>{{ table.archetype }}</h2>
<table>
<thead><tr><th></th>{% for key, name in notes.items() %}<th>{{ key }}<small>{{ name }}</small></th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}
<tr><th>{{ row.state }}</th>{% for cell in row.cells %}<td class="{{ cell.is }}"{% if cell.winner %} style="--h: {{ hues[cell.winner] }}" data-id="{{ cell.winner }}"{% endif %} title="{{ cell.why }}">{{ cell.sign }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endfor %}
<script>
for (const chip of document.querySelectorAll(".chip")) chip.onclick = () => {
  const on = !chip.classList.contains("on");
  for (const other of document.querySelectorAll(".on")) other.classList.remove("on");
  document.body.classList.toggle("pick", on);
  if (on) for (const same of document.querySelectorAll(`[data-id="${CSS.escape(chip.dataset.id)}"]`)) same.classList.add("on");
};
</script>
</html>
"""
