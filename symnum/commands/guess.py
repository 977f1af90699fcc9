"""`symnum guess 1,1,2,5,14,42,132`: the rule behind the terms of a sequence."""

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from symnum.commands.common import Json, boundary

SETTINGS = {"ignore_unknown_options": True}  # so that a leading minus is read as a sign: symnum guess -1 2 -3
NEXT = 10


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(context_settings=SETTINGS)(guess)


def guess(
    terms: Annotated[list[str] | None, typer.Argument(
        metavar="TERMS", show_default=False,
        help="Whole numbers and fractions, separated by commas or spaces; - reads standard input.")] = None,
    file: Annotated[Path | None, typer.Option(help="A text file with the terms.")] = None,
    offset: Annotated[int, typer.Option(help="The index n of the first term.")] = 0,
    hold_back: Annotated[int | None, typer.Option(
        help="Terms that must follow from the others.", show_default="a tenth, at least 3")] = None,
    next_terms: Annotated[int, typer.Option("--terms", min=0, max=100_000, help="How many next terms to print.")] = NEXT,
    grammar: Annotated[str, typer.Option(help="The grammar of closed forms, or none.")] = "integer",
    latex: Annotated[bool, typer.Option("--latex", help="Print the rules as LaTeX.")] = False,
    as_json: Json = False,
) -> None:
    """Guess the rule of a sequence from its first terms, and continue it."""
    with boundary():
        texts = read_terms(terms or [], file)
        from symnum.conjecture.sequences.guess import guess as find
        from symnum.conjecture.sequences.guesses import brief, shortened

        result = find(texts, offset=offset, hold_back=hold_back, grammar=None if grammar == "none" else grammar)
        if as_json:
            typer.echo(json.dumps(result.to_dict(next_terms), indent=2, ensure_ascii=False))
            return
        for found in result:
            typer.echo(found.latex() if latex else str(found))
        if latex:
            return
        if result.best is not None and next_terms:
            more = result.best.continued(next_terms)
            typer.echo("next: " + shortened(", ".join(map(brief, more)), 5000))
        typer.echo(result.message)


def read_terms(arguments: list[str], file: Path | None) -> list[str]:
    """The texts of the terms, from the arguments, a file, or standard input.

    Raises:
        ValueError: none, or from more than one place, or something that is no exact number.
        OSError: the file cannot be read.
    """
    if (file is not None) == bool(arguments):
        msg = "terms were required, either as arguments or with --file, as in: symnum guess 1,1,2,5,14,42,132"
        raise ValueError(msg)
    if file is not None:
        text = _decoded(file.read_bytes(), str(file))
    elif arguments == ["-"]:
        text = _decoded(sys.stdin.buffer.read(), "standard input")
    else:
        text = " ".join(arguments)
    text = re.sub(r"#[^\n]*", " ", text) if file is not None or arguments == ["-"] else text
    texts = [t for t in re.split(r"[\s,;]+", re.sub(r"\s*/\s*", "/", text).strip(" \t\n\r[](){}.…")) if t]
    for k, t in enumerate(texts):
        if not re.fullmatch(r"[+-]?[0-9]+(/[0-9]+)?", t):
            kind = "a decimal number is not exact: write 1/2, not 0.5" if re.fullmatch(r"[+-]?[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?", t) else ""
            hint = f" ({kind})" if kind else " (there is no such option; see symnum guess --help)" if t.startswith("--") else ""
            msg = f"a whole number or a fraction such as 3/4 was required at position {k + 1}, got {t[:40]!r}{hint}"
            raise ValueError(msg)
    return texts


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"a text in UTF-8 was required in {source}: {error.reason} at byte {error.start}"
        raise ValueError(msg) from None
