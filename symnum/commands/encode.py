"""`symnum encode train cpu --out DIR`: train the encoder that tells a search where to look."""

from pathlib import Path
from typing import Annotated

import typer

from symnum.commands.common import Quiet, boundary

encode_app = typer.Typer(no_args_is_help=True, help="Train the encoder of laws and data.")


def register(app: typer.Typer) -> None:
    """Add the group `encode`."""
    app.add_typer(encode_app, name="encode")


@encode_app.callback()
def _group() -> None:
    """Train the encoder of laws and data."""


@encode_app.command("train")
def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="cpu, h200, or a TOML file.")],
    out: Annotated[Path, typer.Option(help="The run folder.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of the configuration's.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
    quiet: Quiet = False,
) -> None:
    """Train an encoder; the folder holds the curve while it runs, and encoder.safetensors at the end."""
    begun = False

    def show(row: dict[str, float]) -> None:
        nonlocal begun
        begun = True
        if not quiet:
            typer.echo(f"step {row['step']:.0f}  loss {row['loss']:.4f}  contrast {row['contrastive']:.4f}  found {row['accuracy']:.3f}"
                       f"  {row['seconds_per_step']:.3f} s/step", err=True)

    kept = f"interrupted; all up to the last checkpoint is kept in {out}: go on with --resume"
    with boundary(lambda: begun, interrupted=kept):
        from symnum.encode.config import Config

        tables = Config.load(config).to_dict()
        if steps is not None:
            tables["train"]["steps"] = steps
        settings = Config.from_dict(tables)
        from symnum.encode.train import train as trained

        made = trained(settings, out, resume=resume, device=device, report=show)
    typer.echo(str(made))
