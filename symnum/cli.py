"""The command line: `symnum fit | resume | ode | pde | invariants | treatment | grammar | identify | guess | balance | encode | …`.

    symnum fit data.csv --target y            progress on standard error, the front and the chosen law on standard output

Exit codes: 0 success; 2 input that cannot be used, with one message on standard error; 130 interrupted (Ctrl-C, SIGTERM), after
what was found so far has been saved and printed. Heavy modules are imported inside the commands, so that help is quick.
"""

from typing import Annotated

import typer

from symnum.commands import (
    balance,
    census,
    encode,
    esma,
    fit,
    grammar,
    guess,
    identify,
    invariants,
    ledger,
    objects,
    ode,
    pcf,
    pde,
    series,
    treatment,
)


def main() -> None:
    """The entry point of the `symnum` command."""
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        from symnum.store import versions

        typer.echo(f"symnum {versions()['symnum']}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help="Find formulas in data and numbers.")
conjecture_app = typer.Typer(no_args_is_help=True, help="Search for formulas of constants and for bounds over tables of objects.")


@app.callback()
def _root(version: Version = False) -> None:
    """Find formulas in data and numbers."""


for group in (fit, ode, pde, invariants, treatment, grammar, identify, guess, balance, encode):
    group.register(app)
for group in (pcf, census, esma, series, objects, ledger):
    group.register(conjecture_app)
app.add_typer(conjecture_app, name="conjecture")


if __name__ == "__main__":
    main()
