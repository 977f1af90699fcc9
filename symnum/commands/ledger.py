"""`symnum conjecture show`: the relations, counters and searched domains of a run, also while it is running.

    symnum conjecture show run/ --status proved        one line per relation, the one of most digits first
    symnum conjecture show run/ --csv > relations.csv  also --json, --latex
"""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import Json, boundary, fail

if TYPE_CHECKING:
    from symnum.numbers.ledger_view import View

COLUMNS = ("status", "digits", "needed", "formula", "key", "coefficients", "basis", "ball", "source", "reason", "found")
Row = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add `show`."""
    app.command()(show)


def show(
    run: Annotated[Path, typer.Argument(help="The run folder: what a search wrote with --out.")],
    status: Annotated[str | None, typer.Option(help="Only these: proved, conjecture, known or rejected.")] = None,
    json: Json = False,
    latex: Annotated[bool, typer.Option("--latex", help="One LaTeX formula per line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A table of comma-separated values.")] = False,
) -> None:
    """What a run found: relations, most digits first, counters, and what was searched to its end."""
    from symnum.numbers.ledger import Ledger

    with boundary(interrupted="interrupted"):
        if json + latex + as_csv > 1:
            fail("one of --json, --latex and --csv was required, got more; choose one")
        view = Ledger.read(run)
        relations = view.relations(status)
        if json:
            typer.echo(_document(view, relations))
        elif latex:
            for relation in relations:
                typer.echo(_latex(relation["formula"]))
        elif as_csv:
            typer.echo(_csv(relations), nl=False)
        else:
            for line in _lines(view, relations):
                typer.echo(line)


def _document(view: "View", relations: list[Row]) -> str:
    import json

    return json.dumps({
        "running": view.running, "finished": view.finished, "searched": view.searched, "counters": view.counters,
        "relations": relations, "runs": view.runs()}, indent=2, ensure_ascii=False)


def _csv(relations: list[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for relation in relations:
        writer.writerow([" ".join(map(str, x)) if isinstance(x := relation[c], list) else x for c in COLUMNS])
    return out.getvalue()


def _latex(formula: str) -> str:
    """The formula in LaTeX, each side of an equation by itself; a text that is no formula of numbers stays text."""
    from symnum.numbers.formula import latex

    sides = []
    for side in formula.split(" = "):
        try:
            sides.append(latex(side))
        except ValueError:
            sides.append(rf"\text{{{side}}}")
    return " = ".join(sides)


def _lines(view: "View", relations: list[Row]) -> list[str]:
    runs = view.runs()
    last = runs[-1]
    state = "running" if view.running else "finished" if view.finished else "stopped, to be resumed"
    lines = [f"{last['task']} ({state}): {_count(len(relations), 'relation')}; sittings: {len(runs)}, the last from {last['started']}"]
    width = max((len(r["formula"]) for r in relations), default=0)
    for r in relations:
        note = "; ".join(text for text in (r["source"], r["reason"]) if text)
        lines.append(f"{r['status']:<10}  {r['digits']:>6} digits  {r['formula']:<{min(width, 60)}}  [{r['key']}]  {note}".rstrip())
    lines += [f"{name}: {number}" for name, number in view.counters.items()]
    return lines + [f"searched: {text}" for text in view.searched]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
