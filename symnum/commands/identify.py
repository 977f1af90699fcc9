"""`symnum identify 2.506628274631000502415765284811`: formulas for a number."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from symnum.commands.common import Json, boundary

if TYPE_CHECKING:
    from symnum.conjecture.number.identification import Identification


def identify(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Digits, or an expression: 'zeta(3)/pi^3'.")],
    digits: Annotated[int | None, typer.Option(help="How many digits to trust; of an expression, how many to compute.")] = None,
    basis: Annotated[str | None, typer.Option(help="Only sums and products over these: 'pi, log(2), zeta(3)'.")] = None,
    grammar: Annotated[str, typer.Option(help="Grammar of the two-sided search: a shipped one, a .g file, or none.")] = "constants",
    seconds: Annotated[float, typer.Option("--time", help="Seconds; a method that has begun is finished.")] = 10.0,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX.")] = False,
    as_json: Json = False,
) -> None:
    """Find formulas for a number and say whether its digits carry them."""
    with boundary():
        if latex and as_json:
            raise ValueError("one of --latex and --json was required, got both (the JSON has the LaTeX)")
        from symnum.conjecture.number.identify import identify as identified

        elements = None if basis is None else split(basis)
        found = identified(number, digits, elements, None if grammar == "none" else grammar, seconds)
        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else _report(found, latex))


def _report(found: "Identification", latex: bool) -> str:
    return "\n".join(f"{h.status:<10} {h.latex()}" for h in found.hits) if latex and found.hits else str(found)


def split(text: str) -> list[str]:
    """The elements of a list at its outer commas.

    >>> split("pi, besseli(0, 2),log(2)")
    ['pi', 'besseli(0, 2)', 'log(2)']
    """
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def register(app: typer.Typer) -> None:
    """Add `symnum identify`; a negative number is no option, so that unknown options are taken for the number."""
    app.command("identify", context_settings={"ignore_unknown_options": True})(identify)
