"""`symnum conjecture bounds`: bounds on an invariant over graphs or over any table of exact invariants.

    symnum conjecture bounds graphs --target independence_number
    symnum conjecture bounds knots.csv --target genus --json --out found.json
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import Json, Quiet, boundary, listed

if TYPE_CHECKING:
    from symnum.conjecture.objects.invariants import ObjectTable
    from symnum.conjecture.objects.objects import Conjectures

GRAPHS = "graphs"


def register(app: typer.Typer) -> None:
    """Add the command to the group `conjecture`."""
    app.command("bounds")(bounds)


def bounds(
    table: Annotated[str, typer.Argument(help="A CSV of exact invariants; or `graphs`, the shipped ones.")],
    target: Annotated[str, typer.Option(help="The invariant that is bounded.")],
    invariants: Annotated[str | None, typer.Option(help="Those that bounds use, separated by commas; all others by default.")] = None,
    hypothesis: Annotated[list[str] | None, typer.Option(
        help="Properties separated by commas, as in 'planar,cubic'; may be repeated. Default: each one.")] = None,
    kind: Annotated[str, typer.Option(metavar="both|upper|lower", help="Which bounds.")] = "both",
    max_terms: Annotated[int, typer.Option(min=1, max=3, help="Invariants in a bound; 3 takes minutes.")] = 2,
    max_height: Annotated[int, typer.Option(min=1, help="The largest coefficient.")] = 8,
    min_touches: Annotated[int, typer.Option(min=1, help="The fewest equalities.")] = 3,
    limit: Annotated[int, typer.Option(min=1, help="The most bounds of either direction.")] = 20,
    compound: Annotated[bool, typer.Option("--compound", help="Terms may be squares, roots, logarithms, products and quotients.")] = False,
    grammar: Annotated[str | None, typer.Option(help="Compound terms from this grammar: a shipped one by name, or a .g file.")] = None,
    against: Annotated[Path | None, typer.Option(help="A further CSV with the same columns, which bounds must hold for.")] = None,
    tries: Annotated[int, typer.Option(min=0, help="Graphs that are tried in search of a counterexample, for each bound.")] = 300,
    rounds: Annotated[int, typer.Option(min=1, help="Passes of choosing bounds and breaking them, at most.")] = 30,
    decimals: Annotated[bool, typer.Option("--decimals", help="Decimals such as 0.25 in the table are exact.")] = False,
    noun: Annotated[str, typer.Option(help="What a row of the table is called.")] = "object",
    seed: Annotated[int, typer.Option(min=0, help="The seed of the search for counterexamples.")] = 0,
    out: Annotated[Path | None, typer.Option(help="A JSON file for the result.")] = None,
    lean: Annotated[bool, typer.Option("--lean", help="Print Lean 4 statements.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find bounds on an invariant that hold for every object of a table, and try to break them."""
    with boundary(interrupted="interrupted before the bounds were found"):
        if sum((lean, latex, as_json)) > 1:
            msg = "one of --json, --lean and --latex at most was required"
            raise ValueError(msg)
        from symnum.conjecture.objects.bounds import FEATURES
        from symnum.conjecture.objects.objects import conjecture_bounds
        from symnum.conjecture.objects.theorems import shipped
        from symnum.language.grammar import Grammar

        folder = None if out is None else out.absolute().parent
        if not noun.strip():
            msg = "a word was required for --noun, got none"
            raise ValueError(msg)
        if folder is not None and not (folder.is_dir() and os.access(folder, os.W_OK) and not out.is_dir()):
            msg = f"a file in an existing folder that can be written to was required for --out, got {out}"
            raise ValueError(msg)
        language = Grammar.load(grammar) if grammar is not None else Grammar.parse(FEATURES, "features") if compound else None
        further = None if against is None else _read(str(against), decimals, noun)
        found = conjecture_bounds(
            _read(table, decimals, noun), target, invariants=listed(invariants), kind=kind, max_terms=max_terms, max_height=max_height,
            hypotheses=None if hypothesis is None else [listed(h) or () for h in hypothesis], min_touches=min_touches, limit=limit,
            grammar=language, against=further, tries=tries,
            rounds=rounds, seed=seed, theorems=shipped() if table == GRAPHS else (),
        )
        document = {"table": table, "target": target, "objects": len(found.table), "notes": list(found.notes),
                    "bounds": [b.document() for b in found], "rejected": [b.document() for b in found.rejected]}
    if as_json:
        typer.echo(_json(document))
    elif lean:
        from symnum.conjecture.objects.statement import lean_file

        typer.echo(lean_file(b.lean(f"bound_{i}") for i, b in enumerate(found, 1)))
    elif latex:
        typer.echo("\n".join(b.latex() for b in found))
    else:
        _report(found, quiet)
    if out is not None:  # last: what was found has been printed, whatever happens to the file
        with boundary():
            out.write_text(_json(document) + "\n", encoding="utf-8")


def _read(table: str, decimals: bool, noun: str) -> "ObjectTable":
    from symnum.conjecture.objects.graph_families import small_graphs
    from symnum.conjecture.objects.invariants import ObjectTable

    return ObjectTable.of_graphs(small_graphs()) if table == GRAPHS else ObjectTable.read(table, decimals, noun)


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False)


def _report(found: "Conjectures", quiet: bool) -> None:
    """The statements on standard output, the rest on standard error."""
    if not found.bounds:
        typer.echo("no bound with as many equalities holds on every row")
    for b in found:
        typer.echo(f"{b}" + (f"  [known: {b.reason}]" if b.status == "known" else ""))
    if quiet:
        return
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    for b in found.rejected:
        typer.echo(f"rejected: {b.formula}" + (f" ({', '.join(b.hypothesis)})" if b.hypothesis else "") + f"; not for {b.reason}", err=True)
