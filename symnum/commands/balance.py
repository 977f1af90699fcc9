"""`symnum balance "KMnO4 + HCl -> KCl + MnCl2 + H2O + Cl2"`: balance reactions."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import BAD_INPUT, Json, boundary

if TYPE_CHECKING:
    from symnum.conjecture.reactions.balance import Balance

SHOWN = 30  # members of a family printed; --json has all


def balance(
    reaction: Annotated[str | None, typer.Argument(metavar="REACTION", help="The reaction, in quotes: 'H2 + O2 -> H2O'.")] = None,
    file: Annotated[Path | None, typer.Option(help="A text file of reactions, one per line; # begins a comment.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX for the package mhchem.")] = False,
    as_json: Json = False,
) -> None:
    """Balance a reaction with the smallest coefficients; where they are not unique, list what generates all balances."""
    with boundary(interrupted="interrupted before a balance was found"):
        if (reaction is None) == (file is None):
            raise ValueError("either a reaction or --file was required")
        if latex and as_json:
            raise ValueError("one of --latex and --json was required, got both (the JSON has the LaTeX)")
        from symnum.conjecture.reactions.balance import balance as balanced

        if reaction is not None:
            found = balanced(reaction)
            typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else _report(found, latex))
            return
        assert file is not None
        failed, documents = False, []
        for number, line in _reactions(file):
            try:
                found = balanced(line)
            except ValueError as error:
                failed = True
                typer.echo(f"error: line {number}: {error}", err=True)
                documents.append({"line": number, "reaction": line, "error": str(error)})
                continue
            documents.append({"line": number, "reaction": line, **found.to_dict()})
            if not as_json:
                typer.echo(_report(found, latex))
        if as_json:
            typer.echo(json.dumps(documents, ensure_ascii=False, indent=1))
        if failed:
            raise typer.Exit(BAD_INPUT)


def _reactions(file: Path) -> list[tuple[int, str]]:
    """The reactions of a file with their line numbers."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        msg = f"{file}: a text file in UTF-8 was required ({error.reason} at byte {error.start})"
        raise ValueError(msg) from None
    found = [(i, text) for i, line in enumerate(lines, 1) if (text := line.split("#")[0].strip())]
    if not found:
        msg = f"{file}: at least one reaction was required, got none"
        raise ValueError(msg)
    return found


def _report(found: "Balance", latex: bool) -> str:
    """The equation and, below it, whatever is not plain about it."""
    if latex:
        return found.latex
    lines: list[Any] = [found.text]
    if found.net:
        lines.append(f"  net: {found.net}")
    if not found.unique:
        from symnum.conjecture.reactions.balance import equation

        claim = "the smallest sum of coefficients" if found.proved else "a small sum of coefficients, not proved smallest"
        lines.append(f"  not unique: {claim}; {found.nullity} independent balances, {found.family_kind} of all:")
        lines += [f"    {equation(found.reaction, member)}" for member in found.family[:SHOWN]]
        if len(found.family) > SHOWN:
            lines.append(f"    … and {len(found.family) - SHOWN} more (--json lists them)")
    return "\n".join([*lines, *(f"  note: {note}" for note in found.reaction.notes)])


def register(app: typer.Typer) -> None:
    """Add `balance` to the command line."""
    app.command()(balance)
