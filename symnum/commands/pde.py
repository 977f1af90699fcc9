"""`symnum pde field.npz`: the partial differential equations of measured fields."""

import json
from pathlib import Path
from typing import Annotated

import typer

from symnum.commands.common import Json, Latex, boundary, interrupted, listed, plain

PERIODIC = {"auto": None, "yes": True, "no": False}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(pde)


def pde(
    data: Annotated[Path, typer.Argument(help="A .npz, .npy or .mat file with the fields, the times and the coordinates.")],
    time: Annotated[str, typer.Option("--time", metavar="NAME", help="The array of times.")] = "t",
    fields: Annotated[str | None, typer.Option(help="The arrays that are fields, separated by commas; all by default.")] = None,
    targets: Annotated[str | None, typer.Option(help="The fields whose equations are wanted; all by default.")] = None,
    periodic: Annotated[str, typer.Option(metavar="auto|yes|no", help="Whether the axes of space are closed.")] = "auto",
    time_order: Annotated[str, typer.Option(metavar="auto|1|2", help="u_t or u_tt on the left.")] = "auto",
    order: Annotated[int | None, typer.Option(
        min=0, max=6, help="The highest derivative in space.", show_default="4 on a line, else 2")] = None,
    degree: Annotated[int, typer.Option(min=1, max=6, help="The highest degree of products of fields.")] = 3,
    functions: Annotated[str | None, typer.Option(help="Functions of one field, as 'sin,exp'.")] = None,
    coordinates: Annotated[str | None, typer.Option(help="Factors of one coordinate, as '1/x,x^2'.")] = None,
    term: Annotated[list[str] | None, typer.Option(help="A further term, as '(u^1.5)_xx'; may be repeated.")] = None,
    holdout: Annotated[float, typer.Option(
        min=0, max=0.5, help="The last share of the time range, for a simulation to be judged on.")] = 0.15,
    out: Annotated[Path | None, typer.Option(help="A folder for result.json.")] = None,
    as_json: Json = False,
    latex: Latex = False,
) -> None:
    """Find the partial differential equations that fields on a grid obey."""
    with boundary(interrupted=interrupted(None)):
        if latex and as_json:
            raise ValueError("one of --latex and --json was required, got both")
        if periodic not in PERIODIC:
            raise ValueError(f"auto, yes or no was required as --periodic, got {periodic}")
        if time_order not in ("auto", "1", "2"):
            raise ValueError(f"auto, 1 or 2 was required as --time-order, got {time_order}")
        from symnum.equations.pde import discover_pde
        from symnum.problem.field_file import read_field

        file = read_field(data, time, listed(fields) or None)
        found = discover_pde(
            list(file.values.values()), file.t, tuple(file.axes.values()), names=list(file.values), labels=list(file.axes),
            periodic=PERIODIC[periodic], time_order=time_order if time_order == "auto" else int(time_order), degree=degree, order=order,
            functions=listed(functions) or [], coordinates=listed(coordinates) or [], terms=term or [], targets=listed(targets) or None,
            holdout=holdout)
        if out is not None:
            found.save(out)
    if as_json:
        typer.echo(json.dumps(plain(found.to_dict() | {"notes": list(file.notes)}), indent=2))
    elif latex:
        typer.echo(found.latex())
    else:
        for line in _report(found, file.notes):
            typer.echo(line)


def _report(found, notes) -> list[str]:
    lines = [str(found), ""]
    for name, intervals in found.intervals().items():
        for (c, term), (low, high) in zip(found.terms[name], intervals, strict=True):
            lines.append(f"  {found.left(name)}: {c:.6g} of {term}, 95 % interval {low:.6g} to {high:.6g}")
    lines += ["", "noise: " + ", ".join(f"{name} {sigma:.3g}" for name, sigma in found.noise.items()), found.verdict.message]
    return [*lines, *found.status, *notes]
