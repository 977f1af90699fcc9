"""`symnum conjecture esma --constant e`: signed interlaced continued fractions of a constant."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from symnum.commands.common import Json, Latex, Out, Quiet, Resume, boundary, check_options, interrupted, progress

if TYPE_CHECKING:
    from symnum.conjecture.fractions.esma import EsmaHit, EsmaRun


def register(app: typer.Typer) -> None:
    """Add `esma` to the conjecture commands."""
    app.command()(esma)


def esma(
    constant: Annotated[str, typer.Option(help="A formula such as tan(1), or a decimal number of at least 40 digits.")] = "e",
    max_coefficient: Annotated[int, typer.Option(help="Of the images (a + b x)/(c + d x) of the constant.")] = 2,
    sign_period: Annotated[int, typer.Option(help="The longest period of the signs.")] = 4,
    depth: Annotated[int, typer.Option(help="Terms read from each fraction.")] = 72,
    digits: Annotated[int, typer.Option(help="To which each formula is compared with the constant.")] = 200,
    top: Annotated[int, typer.Option(min=1, help="How many formulas to print, shortest first; --json has all.")] = 10,
    latex: Latex = False,
    out: Out = None,
    resume: Resume = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find continued fractions with signs whose terms are polynomials on residue classes: e = [2; 1, 2, 1, 1, 4, 1, ...]."""
    with boundary(interrupted=interrupted(out)):
        check_options(latex, as_json, resume, out)
        from symnum.conjecture.fractions.esma import conjecture_esma

        with progress("images", quiet) as show:
            run = conjecture_esma(constant, max_coefficient=max_coefficient, sign_period=sign_period, depth=depth, digits=digits,
                                  out=out, resume=resume, progress=show)
        typer.echo(json.dumps(run.to_dict(), ensure_ascii=False, indent=1) if as_json else _report(run, top, latex))


def _report(run: "EsmaRun", top: int, latex: bool) -> str:
    lines = [hit.latex if latex else f"{hit.text}\n    {_standing(hit)}" for hit in run.hits[:top]]
    if len(run.hits) > top:
        lines.append(f"{'% ' if latex else ''}… and {len(run.hits) - top} more (--top, --json)")
    return "\n".join([*lines, f"{'% ' if latex else ''}{run.searched}"])


def _standing(hit: "EsmaHit") -> str:
    standing = f"known: {hit.source}" if hit.source else "conjecture"
    same = f"; the tail of {hit.tails} more" if hit.tails else ""
    return f"{standing}; agrees to {hit.digits} digits, {hit.needed} needed{same}"
