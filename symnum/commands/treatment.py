"""`symnum treatment data.csv --time day --subject patient --treatment arm`: laws under treatments, and how much subjects differ."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import Json, Quiet, boundary, listed, plain

if TYPE_CHECKING:
    from symnum.equations.treatment import TreatmentDiscovery


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(treatment)


def treatment(
    data: Annotated[Path, typer.Argument(help="CSV; the first line holds the names. Empty cells are missing samples.")],
    time: Annotated[str, typer.Option("--time", metavar="COLUMN", help="The column of times.")] = "t",
    subject: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column that tells subjects apart.")] = None,
    treatment: Annotated[str | None, typer.Option(
        metavar="COLUMN", help="The column of treatments, numbers or words; each holds until the next sample.")] = None,
    states: Annotated[str | None, typer.Option(help="The columns that are states, separated by commas; all others by default.")] = None,
    covariates: Annotated[str | None, typer.Option(help="The columns of what does not change in a subject.")] = None,
    inputs: Annotated[str | None, typer.Option(help="The columns of doses and other inputs; each holds until the next sample.")] = None,
    degree: Annotated[int, typer.Option(min=1, help="Of the polynomials.")] = 2,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find a differential equation for every treatment, and how much its coefficients differ between subjects."""
    with boundary():
        import pandas as pd

        from symnum.equations.treatment import discover_treatment_ode

        try:
            frame = pd.read_csv(data)
        except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise ValueError(f"{data}: {str(error).splitlines()[0]}") from None
        columns = {"covariates": listed(covariates) or [], "inputs": listed(inputs) or []}
        found = discover_treatment_ode(frame, time, treatment=treatment, subject=subject, degree=degree,
                                       states=listed(states) or None, **columns)
    if as_json:
        typer.echo(json.dumps(document(found), indent=2, ensure_ascii=False, allow_nan=False))
    elif quiet:
        typer.echo("\n".join(f"{name}: {'; '.join(str(system).splitlines())}" for name, system in found.population.items()))
    else:
        typer.echo(str(found))


def document(found: "TreatmentDiscovery") -> dict[str, Any]:
    """The result as a JSON object."""
    from symnum.store import versions

    return plain({
        "population": {str(name): dict(zip(system.states, map(str, system.equations), strict=True))
                       for name, system in found.population.items()},
        "coefficients": {name: dataclasses.asdict(i) for name, i in found.coefficients().items()},
        "between": found.between,
        "noise": {name: {"course": a, "measurement": b} for name, (a, b) in found.noise.items()},
        "subjects": {label: {name: dataclasses.asdict(i) for name, i in own.coefficients().items()}
                     for label, own in found.subjects.items()},
        "versions": versions(),
    })
