"""`symnum conjecture series --constant "zeta(3)"`: BBP-type and binomial series for a constant."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import Json, Latex, Out, Quiet, Resume, boundary, check_options, interrupted, progress

if TYPE_CHECKING:
    from symnum.conjecture.series.series import SeriesRun


def register(app: typer.Typer) -> None:
    """Add `series` to the conjecture commands."""
    app.command()(series)


def series(
    constant: Annotated[str, typer.Option(help="A formula such as zeta(3), or a decimal number of at least 40 digits.")],
    kind: Annotated[str, typer.Option(help="bbp, binomial or all.")] = "all",
    bases: Annotated[str | None, typer.Option(help="The b of BBP-type series, as in '16,-4'; powers of 2, 3, 5 and 10 by default.")] = None,
    lengths: Annotated[str | None, typer.Option(help="The n of BBP-type series, as in '8,12'; 1 to 12, 16, 20 and 24 by default.")] = None,
    powers: Annotated[str | None, typer.Option(help="The s of BBP-type series; 1,2,3 by default.")] = None,
    surds: Annotated[str, typer.Option(help="Series are looked for sqrt(d) times the constant, d among these.")] = "1,2,3",
    top: Annotated[int, typer.Option(min=1, help="How many formulas to print, shortest first; --json has all.")] = 20,
    latex: Latex = False,
    out: Out = None,
    resume: Resume = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find series for a constant: sum of b^-k A_j/(nk + j)^s, and of binomials times polynomials over powers."""
    with boundary(interrupted=interrupted(out)):
        check_options(latex, as_json, resume, out)
        from symnum.conjecture.series.series import conjecture_series

        ranges: dict[str, Any] = {"bases": bases, "lengths": lengths, "powers": powers, "surds": surds}
        chosen = {name: _integers(name, text) for name, text in ranges.items() if text is not None}
        with progress("sums", quiet) as show:
            run = conjecture_series(constant, kind, **chosen, out=out, resume=resume, progress=show)
        typer.echo(json.dumps(run.to_dict(), ensure_ascii=False, indent=1) if as_json else _report(run, top, latex))


def _integers(name: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        msg = f"--{name}: integers separated by commas were required, got {text!r}"
        raise ValueError(msg) from None


def _report(run: "SeriesRun", top: int, latex: bool) -> str:
    mark = "% " if latex else ""
    lines = []
    for hit in run.hits[:top]:
        place = f"; base-{hit.digit_base} digits at any place without those before" if hit.digit_base else ""
        null = f"; {hit.nulls} null relation{'s' * (hit.nulls > 1)} may be added" if hit.nulls else ""
        standing = f"known: {hit.source}" if hit.source else "conjecture"
        lines.append(hit.latex if latex else f"{hit.text}\n    {standing}; agrees to {hit.digits} digits, {hit.needed} needed{place}{null}")
    if len(run.hits) > top:
        lines.append(f"{mark}… and {len(run.hits) - top} more (--top, --json)")
    return "\n".join([*lines, f"{mark}{run.searched}"])
