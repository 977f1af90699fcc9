"""`symnum invariants trajectories.csv --time t`: conserved quantities of measured trajectories."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import Json, Latex, boundary, check_options, listed, plain

if TYPE_CHECKING:
    from symnum.equations.invariants import InvariantDiscovery

DEFAULT_TIME = 60.0  # seconds
DOCUMENT = "invariants.json"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(invariants)


def invariants(
    data: Annotated[Path, typer.Argument(help="CSV, TSV, .npz, .npy or .parquet; the first line holds the names, empty cells are "
                                              "missing samples.")],
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="The column of times; they increase in every trajectory.")] = "t",
    group: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that tells trajectories apart.")] = None,
    states: Annotated[str | None, typer.Option(help="The columns that are states, separated by commas; all others by default.")] = None,
    equation: Annotated[list[str] | None, typer.Option(
        help="An equation that is known, as \"x' = -0.5*x\"; one for every state, or none.")] = None,
    noise: Annotated[float | None, typer.Option(help="The noise's standard deviation; estimated by default.")] = None,
    neural: Annotated[bool, typer.Option(help="Whether a neural network is asked where no library holds one.")] = True,
    time_limit: Annotated[float, typer.Option("--time-limit", help="Seconds in all; inf: no limit.")] = DEFAULT_TIME,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all randomness.")] = 0,
    out: Annotated[Path | None, typer.Option(help=f"A folder for the result, as {DOCUMENT}.")] = None,
    as_json: Json = False,
    latex: Latex = False,
) -> None:
    """Find the conserved quantities of trajectories, and how many are independent."""
    with boundary():
        check_options(latex, as_json, False, out)
        if not time_limit > 0:
            msg = f"a number of seconds above 0 was required as --time-limit, got {time_limit:g}"
            raise ValueError(msg)
        if out is not None and out.exists() and not out.is_dir():
            msg = f"a folder was required as --out, {out} is a file"
            raise ValueError(msg)
        from symnum.problem.trajectory_file import read_trajectories

        trajectories = read_trajectories(data, time, group, listed(states))
        system = _system(equation or [], trajectories.states, time)
        from symnum.equations.invariants import discover_invariants

        found = discover_invariants(trajectories, system=system, noise=noise, neural=neural, seed=seed,
                                    time_limit=time_limit if math.isfinite(time_limit) else None)
    text = json.dumps(document(found), indent=2, ensure_ascii=False)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / DOCUMENT).write_text(text + "\n", encoding="utf-8")
    if as_json:
        typer.echo(text)
    elif latex:
        for invariant in found:
            typer.echo(invariant.latex())
    else:
        typer.echo(str(found))


def _system(equations: list[str], states: tuple[str, ...], time: str):
    """The known system, or None.

    Raises:
        ValueError: an equation that is not of the form x' = …, or not one for every state.
    """
    if not equations:
        return None
    from symnum.dynamics.system import System

    sides = {}
    for text in equations:
        left, sign, right = text.partition("=")
        name = left.strip().removesuffix("'").strip().strip("`")
        if not sign or not left.strip().endswith("'") or name not in states:
            msg = f"an equation such as \"{states[0]}' = ...\" of one of the states {list(states)} was required, got {text!r}"
            raise ValueError(msg)
        sides[name] = right
    missing = [name for name in states if name not in sides]
    if missing:
        msg = f"an equation for every state was required, there is none for {missing}"
        raise ValueError(msg)
    return System.parse({name: sides[name] for name in states}, time=time)


def document(found: "InvariantDiscovery") -> dict[str, Any]:
    """The result as a JSON object."""
    return plain({
        "count": found.count,
        "status": found.status,
        "invariants": [{"formula": i.formula, "drift": i.drift, "excess": i.excess, "verified": i.verified, "exact": i.exact,
                        "message": i.message, "source": i.source} for i in found],
        "statistics": found.statistics,
    })
