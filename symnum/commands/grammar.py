"""`symnum grammar check | sample | count`: look at a grammar."""

from typing import TYPE_CHECKING, Annotated

import typer

from symnum.commands.common import boundary

if TYPE_CHECKING:
    from symnum.language.grammar import Grammar

File = Annotated[str, typer.Argument(metavar="FILE", help="A shipped grammar by name, or a .g file.")]
Variables = Annotated[str | None, typer.Option(help="The data columns, separated by commas; the grammar's own or x by default.")]


def check(file: File) -> None:
    """Check a grammar and say what is in it."""
    with boundary():
        grammar = _grammar(file)
        operators = ", ".join(sorted(op.name for op in grammar.operators))
        costs = ", ".join(f"{name} (from complexity {grammar.min_cost(name)})" for name in grammar.nonterminals)
        typer.echo(f"{grammar.name}: {len(grammar.productions)} productions\nnonterminals: {costs}\noperators: {operators or 'none'}")
        if grammar.variables:
            typer.echo(f"variables by name: {', '.join(grammar.variables)}")


def sample(
    file: File,
    n: Annotated[int, typer.Option("-n", min=1, help="How many expressions.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="The seed of the draw.")] = 0,
    max_complexity: Annotated[int, typer.Option(min=1, help="No expression is larger.")] = 30,
    variables: Variables = None,
) -> None:
    """Draw expressions by the grammar's weights."""
    with boundary():
        import numpy as np

        grammar = _grammar(file)
        rng, names = np.random.default_rng(seed), _names(grammar, variables)
        for _ in range(n):
            typer.echo(str(grammar.sample(rng, names, max_complexity)))


def count(
    file: File,
    complexity: Annotated[int, typer.Option(min=1, help="The complexity to count.")],
    variables: Variables = None,
) -> None:
    """Count the derivations of exactly one complexity."""
    with boundary():
        grammar = _grammar(file)
        typer.echo(str(grammar.count(complexity, _names(grammar, variables))))


def _grammar(file: str) -> "Grammar":
    from symnum.language.grammar import Grammar

    return Grammar.load(file)


def _names(grammar: "Grammar", variables: str | None) -> list[str]:
    """The data columns that were asked for, else those of the grammar, else x."""
    if variables is None:
        return list(grammar.variables) or ["x"]
    return [name.strip() for name in variables.split(",")]


def register(app: typer.Typer) -> None:
    """Add the group `grammar`."""
    group = typer.Typer(no_args_is_help=True, help="Look at a grammar: a shipped one by name, or a .g file.")
    for command in (check, sample, count):
        group.command()(command)
    app.add_typer(group, name="grammar")
