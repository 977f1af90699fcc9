"""`symnum ode trajectories.csv --time t`: the differential equations behind measured trajectories."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from symnum.commands.common import Json, Latex, Quiet, Resume, boundary, check_options, interrupted, listed, plain

DEFAULT_TIME = 30.0  # seconds
PICTURES = (".png", ".pdf", ".svg")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(ode)


def ode(
    data: Annotated[Path, typer.Argument(help="CSV, TSV, .npz, .npy or .parquet; the first line holds the names, empty cells are "
                                              "missing samples.")],
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="The column of times; they increase in every trajectory.")] = "t",
    group: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that tells trajectories apart.")] = None,
    states: Annotated[str | None, typer.Option(help="The columns that are states, separated by commas; all others by default.")] = None,
    inputs: Annotated[str | None, typer.Option(help="The columns that act from outside, separated by commas.")] = None,
    order: Annotated[int, typer.Option(min=1, max=2, help="1: x' = f(x); 2: x'' = f(x, x'), where only x was measured.")] = 1,
    grammar: Annotated[str, typer.Option(help="The grammar of what no library holds: a shipped one or a .g file.")] = "dynamics",
    time_limit: Annotated[float, typer.Option("--time-limit", help="Seconds in all; inf: no limit.")] = DEFAULT_TIME,
    guess: Annotated[list[str] | None, typer.Option(help="An equation to begin with, as \"x' = -0.5*x\"; may be repeated.")] = None,
    holdout: Annotated[float | None, typer.Option(
        min=0, max=0.9, help="The share of the trajectories held out for the verdict.", show_default="0.2 from 5 trajectories on")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all randomness.")] = 0,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Threads; all cores by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder that keeps the run.")] = None,
    plot: Annotated[Path | None, typer.Option(
        metavar="FILE", help="A picture of data, solution and fronts (.png, .pdf, .svg); needs matplotlib.")] = None,
    resume: Resume = False,
    as_json: Json = False,
    latex: Latex = False,
    quiet: Quiet = False,
) -> None:
    """Find the differential equations behind trajectories."""
    with boundary(interrupted=interrupted(out)):
        check_options(latex, as_json, resume, out)
        if not time_limit > 0:
            msg = f"a number of seconds above 0 was required as --time-limit, got {time_limit:g}"
            raise ValueError(msg)
        if plot is not None:
            _check_plot(plot)
        from symnum.problem.trajectory_file import read_trajectories

        trajectories = read_trajectories(data, time, group, listed(states), listed(inputs))
    with _progress(quiet or as_json) as said, boundary(lambda: said.begun, interrupted(out)):
        from symnum.equations.ode import discover_ode
        from symnum.equations.ode_report import document, lines

        found = discover_ode(
            trajectories, order=order, grammar=grammar, time_limit=time_limit, guess=guess, holdout=holdout, seed=seed, threads=threads,
            callbacks=(said,), run_dir=out, resume=resume,
        )
        if as_json:
            options = {"data": str(data), "time": time, "group": group, "order": order, "grammar": grammar, "time_limit": time_limit,
                       "guess": guess or [], "holdout": holdout, "seed": seed, "threads": threads, "run": out and str(out)}
            typer.echo(json.dumps(plain(document(found) | {"options": options}), indent=2, ensure_ascii=False, allow_nan=False))
        elif latex:
            typer.echo(found.latex())
        elif quiet:
            typer.echo(str(found.system))
        else:
            typer.echo("\n".join([*lines(found), *([f"saved in {out}"] if out else [])]))
        if plot is not None:
            found.plot(str(plot))


class _Said:
    """What the search says: shown on a terminal's last line, replaced by the next; elsewhere a line each. Tells whether it has begun."""

    def __init__(self, status):
        self.status, self.begun = status, False

    def __call__(self, text: str) -> None:
        self.begun = True
        if self.status is not None:
            self.status(text)


@contextmanager
def _progress(quiet: bool) -> Iterator[_Said]:
    """The callback that shows progress on standard error; the terminal is given back whatever happens."""
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    if quiet:
        yield _Said(None)
    elif not console.is_terminal:
        yield _Said(lambda text: console.print(text, soft_wrap=True))
    else:
        with console.status("smoothing the trajectories") as status:
            yield _Said(status.update)


def _check_plot(path: Path) -> None:
    """What would stop the picture is told before the search.

    Raises:
        ValueError: matplotlib is not installed, cannot write such a file, or there is no such folder.
    """
    import importlib.util

    if path.suffix.lower() not in PICTURES:
        msg = f"a file {', '.join(PICTURES)} was required as --plot, got {path.name}"
        raise ValueError(msg)
    if not path.absolute().parent.is_dir():
        msg = f"an existing folder was required for --plot, there is no {path.absolute().parent}"
        raise ValueError(msg)
    if importlib.util.find_spec("matplotlib") is None:
        msg = "--plot requires matplotlib: pip install 'symnum[report]'"
        raise ValueError(msg)
