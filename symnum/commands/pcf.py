"""`symnum conjecture pcf --constant "zeta(3)" --a-degree 3 --b-degree 6 --range 20`: continued fractions with polynomial terms."""

import json
import re
from typing import TYPE_CHECKING, Annotated

import typer

from symnum.commands.common import Json, Latex, Out, Quiet, Resume, boundary, check_options, interrupted, progress

if TYPE_CHECKING:
    from symnum.conjecture.fractions.run import PcfRun
    from symnum.numbers.pcf_domain import Domain

FAMILIES = "all; symmetric: a(-1-n) = ±a(n), b = y*n^degree; monomial: b = y*n^degree; auto: all where they are few, else these two"


def register(app: typer.Typer) -> None:
    """Add `pcf` to the conjecture commands."""
    app.command()(pcf)


def pcf(
    constant: Annotated[list[str], typer.Option(help="A formula such as zeta(3); may be repeated, constants share the screening.")],
    a_degree: Annotated[int, typer.Option(help="The largest degree of a.")] = 1,
    b_degree: Annotated[int, typer.Option(help="The largest degree of b.")] = 2,
    coefficients: Annotated[str, typer.Option("--range", metavar="N|LOW..HIGH", help="Of the coefficients, or unknowns.")] = "5",
    family: Annotated[str, typer.Option(help=f"Which pairs of these degrees. {FAMILIES}.")] = "auto",
    a: Annotated[str | None, typer.Option(help="A template for a in place of degrees, as '(2*n+1)*(x0*n*(n+1)+x1)'.")] = None,
    b: Annotated[str | None, typer.Option(help="A template for b, as 'y*n^6'; its unknowns are others than those of a.")] = None,
    ranges: Annotated[str, typer.Option(help="Ranges of the unknowns of --a and --b, as 'x0=1..17,x1=1..5,y=-16..-1'.")] = "",
    joint: Annotated[bool, typer.Option("--joint", help="Look for relations to all constants at once.")] = False,
    lhs: Annotated[int, typer.Option(help="The largest coefficient in (A c + B)/(C c + D).")] = 20,
    digits: Annotated[int, typer.Option(help="To which relations are confirmed on proven balls.")] = 100,
    time: Annotated[float | None, typer.Option(help="Seconds; a run with --out can be resumed.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; all cores by default.")] = None,
    top: Annotated[int | None, typer.Option(min=1, help="How many families to print, simplest first; all by default.")] = None,
    latex: Latex = False,
    out: Out = None,
    resume: Resume = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find continued fractions a(0) + b(1)/(a(1) + b(2)/(a(2) + ...)), a and b polynomials, for a constant."""
    with boundary(interrupted=interrupted(out)):
        check_options(latex, as_json, resume, out)
        from symnum.conjecture.fractions.pcf import conjecture_pcf, expected_seconds

        domain = _domain(a_degree, b_degree, coefficients, family, a, b, ranges)
        if not quiet:
            seconds = expected_seconds(domain, joint, threads)
            typer.echo(f"{domain}\n{domain.size:,} pairs, about {_duration(seconds)}", err=True)
        with progress("blocks", quiet) as show:
            run = conjecture_pcf(constant, domain=domain, joint=joint, lhs=lhs, digits=digits, out=out, resume=resume, threads=threads,
                                 time_limit=time, progress=show)
        typer.echo(json.dumps(run.to_dict(), ensure_ascii=False, indent=1) if as_json else _report(run, top, latex))


def _domain(a_degree: int, b_degree: int, coefficients: str, family: str, a: str | None, b: str | None, ranges: str) -> "Domain":
    from symnum.numbers.pcf_domain import Domain
    from symnum.numbers.pcf_family import parse_ranges

    if (a is None) != (b is None):
        raise ValueError("templates for both a and b were required, as --a and --b, got one")
    found = re.fullmatch(r"(?:(-?\d+)\s*(?:\.\.|:)\s*)?([+-]?\d+)", coefficients.strip())
    if not found or (found[1] is None and int(found[2]) < 1):
        raise ValueError(f"a range such as 20, for -20..20, or -5..20 was required, got {coefficients}")
    low, high = (int(found[1]), int(found[2])) if found[1] is not None else (-int(found[2]), int(found[2]))
    if a is None or b is None:
        if ranges:
            raise ValueError("--ranges requires --a and --b, whose unknowns they are for; --range is for coefficients")
        return Domain.auto(a_degree, b_degree, (low, high), family)
    unknowns = dict.fromkeys(re.findall(r"[A-Za-z_]\w*", f"{a} {b}"), (low, high))
    unknowns.pop("n", None)
    return Domain.of(a, b, unknowns | parse_ranges(ranges))


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds > 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{max(1, round(seconds))} s"


def _report(run: "PcfRun", top: int | None, latex: bool) -> str:
    if latex:
        return "\n".join([*(members[0].latex for members in run.families[:top]), f"% {run.searched}"])
    return run.text(top)
