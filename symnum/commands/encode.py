"""`symnum encode …`: train the encoder of laws and data, and ask it.

    symnum encode train cpu --out RUN                          an encoder from scratch
    symnum encode nearest data.csv --target y                  which laws may have made the data
    symnum encode rank data.csv --target y "x*z" "x + z"       which of these
    symnum encode properties "sin(x0)"                         what it thinks of a law, or of data
    symnum encode map --out map.png                            its space as a picture
    symnum encode index RUN                                    the index that `nearest` looks things up in
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import Json, Quiet, boundary, listed, plain

if TYPE_CHECKING:
    from symnum.encode.public import Encoder
    from symnum.problem.table import Table

HELP = "Train the encoder of laws and data, and ask it."
encode_app = typer.Typer(no_args_is_help=True, help=HELP)

PICTURES = (".png", ".pdf", ".svg")
Data = Annotated[Path, typer.Argument(help="CSV, TSV, .npz, .npy or .parquet; the first line holds the names.")]
Target = Annotated[str, typer.Option(help="The column that the law gives.")]
Features = Annotated[str | None, typer.Option(help="The columns it may use, separated by commas; all others by default.")]
From = Annotated[Path | None, typer.Option("--encoder", metavar="PATH", help="A run folder or a checkpoint; the shipped one by default.")]


def register(app: typer.Typer) -> None:
    """Add the group `encode`."""
    app.add_typer(encode_app, name="encode")


@encode_app.callback()
def _group() -> None:
    """Train the encoder of laws and data, and ask it."""


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


@encode_app.command("rank")
def rank(
    data: Data,
    formulas: Annotated[list[str], typer.Argument(metavar="FORMULA…", help="Laws over the columns, as 'sin(x) + 2*z'.")],
    target: Target,
    features: Features = None,
    skeletons: Annotated[bool, typer.Option("--skeletons", help="Numbers with a decimal point are open, whatever they are.")] = False,
    encoder: From = None,
    as_json: Json = False,
) -> None:
    """Which of these formulas fit the data, as the encoder sees it: cosines, the largest first."""
    with boundary():
        table = _table(data, target, features)
        loaded = _encoder(encoder)
        cosine = loaded.rank(formulas, table.X, table.y, table.names, generic=skeletons)
        order = sorted(range(len(formulas)), key=lambda i: -cosine[i])
    _print_laws([(formulas[i], float(cosine[i])) for i in order], as_json)


@encode_app.command("nearest")
def nearest(
    data: Data,
    target: Target,
    k: Annotated[int, typer.Option("-k", min=1, help="How many.")] = 10,
    features: Features = None,
    encoder: From = None,
    as_json: Json = False,
) -> None:
    """The skeletons of the index that fit the data best, as the encoder sees it; 1.0 stands for any constant."""
    with boundary():
        table = _table(data, target, features)
        loaded = _encoder(encoder)
        found = loaded.nearest(table.X, table.y, k, table.names)
    _print_laws([(str(law), cosine) for law, cosine in found], as_json)


@encode_app.command("properties")
def properties(
    of: Annotated[str, typer.Argument(metavar="FILE|FORMULA", help="Data, with --target; else a law.")],
    target: Annotated[str | None, typer.Option(help="The column of the file that the law gives.")] = None,
    features: Features = None,
    encoder: From = None,
    as_json: Json = False,
) -> None:
    """What the encoder predicts of a law from its text; or of an unknown one from data: properties, columns, operators, length."""
    with boundary():
        if target is None and Path(of).is_file():
            msg = f"--target was required with a file, the column of {of} that the law gives"
            raise ValueError(msg)
        if target is None:
            from symnum.language.expr import Expr

            law = Expr.parse(of)
            found = {"properties": _encoder(encoder).properties(law, names=law.variables)}
        else:
            table = _table(Path(of), target, features)
            look = _encoder(encoder).look(table.X, table.y)
            found = {"properties": look.properties, "columns": dict(zip(table.names, look.relevance.tolist(), strict=True)),
                     "operators": look.operators, "length": {"tokens": look.length}}
    if as_json:
        typer.echo(json.dumps(plain(found), indent=1, ensure_ascii=False))
        return
    for name, values in found.items():
        typer.echo(name)
        for key, value in values.items():
            typer.echo(f"  {key}  {value:.3g}")


@encode_app.command("map")
def draw_map(
    out: Annotated[Path, typer.Option(metavar="FILE", help="The picture (.png, .pdf, .svg); needs matplotlib.")],
    colour: Annotated[str, typer.Option(help="ncr, upwardness, mean, oscillation, even, …, or length.")] = "ncr",
    laws: Annotated[int, typer.Option(min=8, help="How many random laws.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the laws and the layout.")] = 0,
    encoder: From = None,
) -> None:
    """The encoder's space in two dimensions: random laws, coloured by a property."""
    with boundary():
        from symnum.encode.latent_map import check_colour, latent_map

        check_colour(colour)
        _check_picture(out)
        latent_map(_encoder(encoder), colour, laws, seed).plot(out)
    typer.echo(str(out))


@encode_app.command("index")
def index(
    encoder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder or a checkpoint.")],
    size: Annotated[int, typer.Option(min=1, help="How many skeletons.")] = 1 << 15,
    seed: Annotated[int, typer.Option(min=0, help="Of the skeletons.")] = 0,
) -> None:
    """Make the index that `nearest` looks skeletons up in, and keep it beside the checkpoint."""
    with boundary():
        from symnum.encode.files import INDEX, encoder_file
        from symnum.encode.index import SkeletonIndex

        made = SkeletonIndex.build(_encoder(encoder), size, seed)
        path = made.save(encoder_file(encoder).parent / INDEX)
    typer.echo(str(path))


def _encoder(path: Path | None) -> "Encoder":
    from symnum.encode.public import Encoder

    return Encoder.load(path)


def _table(path: Path, target: str, features: str | None) -> "Table":
    from symnum.problem.table import read_table

    return read_table(path, target, listed(features), units="none")


def _print_laws(laws: list[tuple[str, float]], as_json: bool) -> None:
    """Formulas with their cosines, one a line."""
    if as_json:
        documents: list[dict[str, Any]] = [{"formula": text, "cosine": cosine} for text, cosine in laws]
        typer.echo(json.dumps(documents, indent=1, ensure_ascii=False))
        return
    for text, cosine in laws:
        typer.echo(f"{cosine:7.4f}  {text}")


def _check_picture(path: Path) -> None:
    """What would stop the picture is told before the work.

    Raises:
        ValueError: matplotlib is not installed, cannot write such a file, or there is no such folder.
    """
    import importlib.util

    if path.suffix.lower() not in PICTURES:
        msg = f"a file {', '.join(PICTURES)} was required as --out, got {path.name}"
        raise ValueError(msg)
    if not path.absolute().parent.is_dir():
        msg = f"an existing folder was required for --out, there is no {path.absolute().parent}"
        raise ValueError(msg)
    if importlib.util.find_spec("matplotlib") is None:
        msg = "the map requires matplotlib: pip install 'symnum[report]'"
        raise ValueError(msg)
