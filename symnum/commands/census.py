"""`symnum conjecture census`: the dynamics, clusters and constants of all continued fractions of a domain."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import Json, Quiet, boundary, fail

if TYPE_CHECKING:
    from symnum.conjecture.census.census import Census, Progress


def register(app: typer.Typer) -> None:
    """Add the command to the sub-application `conjecture`."""
    app.command("census")(census)


def census(
    out: Annotated[Path, typer.Option(help="The run folder.")],
    degree: Annotated[int, typer.Option(help="Of a and b, at most.")] = 2,
    coefficients: Annotated[int, typer.Option("--range", help="Coefficients reach from minus this to this.")] = 5,
    depth: Annotated[int, typer.Option(help="Terms at which the metrics are taken.")] = 500,
    threads: Annotated[int | None, typer.Option(help="Processes; all cores by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Draw the planes into planes.png of the run folder.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure how all continued fractions of a domain converge, cluster them, and say which constants the clusters hold.

    Degree 2 and range 5, 1.77 million fractions, take some minutes.
    """
    kept = f"interrupted; all that was done is kept in {out}: go on with --resume"
    with boundary(interrupted=kept), _progress(quiet or as_json) as progress:
        from symnum.conjecture.census.census import census as surveyed

        found = surveyed(degree, coefficients, out, resume, depth=depth, threads=threads, progress=progress)
        picture = None
        if plot:
            from symnum.conjecture.census.report import plot as drawn

            try:
                picture = drawn(found)
            except ImportError as error:
                fail(str(error))
    if as_json:
        typer.echo(json.dumps(_document(found, picture), ensure_ascii=False, indent=1))
        return
    typer.echo(str(found))
    if picture:
        typer.echo(f"drawn: {picture}")


def _document(found: "Census", picture: Path | None) -> dict[str, Any]:
    formulas = [{"fraction": f["key"]} | {k: f[k] for k in ("formula", "coefficients", "basis", "digits", "needed", "status", "source")}
                for f in found.formulas]
    return {"domain": {"degree": found.domain.degree, "range": found.domain.range}, "counters": found.counters,
            "clusters": list(found.clusters), "formulas": formulas, "picture": picture and str(picture)}


@contextmanager
def _progress(quiet: bool) -> "Iterator[Progress | None]":
    """A bar per part on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console) as bars:
        parts: dict[str, Any] = {}

        def show(part: str, done: int, of: int) -> None:
            if part not in parts:
                parts[part] = bars.add_task(part, total=of)
            bars.update(parts[part], completed=done)

        yield show
