"""`symnum fit` and `symnum resume`: a formula for a column of a table."""

import csv
import dataclasses
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symnum.commands.common import INTERRUPTED, Json, Quiet, boundary, plain

if TYPE_CHECKING:
    from symnum.discovery import Discovery
    from symnum.problem.regression import RegressionProblem
    from symnum.problem.table import Table

INTERVALS = ("wald", "profile", "none")
UNBROKEN = 100_000  # characters per line in a file or a pipe: no formula is broken


def register(app: typer.Typer) -> None:
    """Add `fit` and `resume`."""
    app.command()(fit)
    app.command("resume")(resume_run)


def _positive(value: float | None) -> float | None:
    if value is not None and not value > 0:
        msg = f"a number above 0 was required, got {value:g}"
        raise typer.BadParameter(msg)
    return value


def _method(value: str) -> str:
    if value not in INTERVALS:
        msg = f"one of {', '.join(INTERVALS)} was required, got {value}"
        raise typer.BadParameter(msg)
    return value


def _confidence(value: float) -> float:
    if not 0 < value < 1:
        msg = f"a level between 0 and 1 was required, got {value:g}"
        raise typer.BadParameter(msg)
    return value


DEFAULT_TIME = 20.0  # seconds, where neither limit is given
TIME_HELP = "Seconds in all, resumed parts included; inf: no limit."
FitTime = Annotated[float | None, typer.Option(
    "--time", callback=_positive, help=TIME_HELP, show_default=f"{DEFAULT_TIME:g}; no limit with --max-evaluations")]
Time = Annotated[float | None, typer.Option("--time", callback=_positive, help=TIME_HELP)]
Evaluations = Annotated[int | None, typer.Option(
    "--max-evaluations", min=1, help="Evaluations (passes over the rows); makes a run reproducible.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads; all cores by default.")]


# fit --------------------------------------------------------------------------------------------------------------------
def fit(
    data: Annotated[Path, typer.Argument(help="CSV, TSV, .npz, .npy or .parquet; the first line holds the names.")],
    target: Annotated[str, typer.Option(help="The column that the formula gives.")],
    features: Annotated[str | None, typer.Option(help="The columns it may use, separated by commas; all others by default.")] = None,
    weights: Annotated[str | None, typer.Option(help="A column of weights of the rows.")] = None,
    units: Annotated[str | None, typer.Option(
        metavar="FILE|none", help="Units by column, a .csv of rows name,unit or a .json object; none: ignore those in the names.")] = None,
    constants: Annotated[str, typer.Option(
        help="Whether, with units, fitted constants may carry one: auto, dimensionless, free.")] = "auto",
    grammar: Annotated[str, typer.Option(help="A shipped grammar by name, or a .g file.")] = "elementary",
    operators: Annotated[str | None, typer.Option(help="Operators in place of a grammar, as in '+ * sin exp'.")] = None,
    template: Annotated[str | None, typer.Option(help="The law's form, as in 'sin(f(x)) + p[site]*t': finds f, and p by site.")] = None,
    known: Annotated[list[str] | None, typer.Option(help="A sub-expression that stands as one symbol; may be repeated.")] = None,
    constraint: Annotated[list[str] | None, typer.Option(
        help="What every formula must comply with, as 'y >= 0', 'increasing(x)', 'f(x=0) = 1'; may be repeated.")] = None,
    guess: Annotated[list[str] | None, typer.Option(help="A formula to start from, its constants are fitted; may be repeated.")] = None,
    select_features: Annotated[str, typer.Option(
        metavar="auto|all|N", help="How many columns to use; auto: those that tell something, where there are many.")] = "auto",
    encoder: Annotated[str, typer.Option(
        metavar="none|auto|PATH", help="What tells the search where to look; auto: the encoder that ships.")] = "none",
    time: FitTime = None,
    max_evaluations: Evaluations = None,
    max_complexity: Annotated[int, typer.Option(min=1, help="Formulas get no larger.")] = 30,
    loss: Annotated[str, typer.Option(help="How misfit is measured.")] = "mse",
    sigma: Annotated[str | None, typer.Option(
        metavar="NUMBER|COLUMN", help="The known standard deviation of the target, or the column that has it for every row.")] = None,
    selection: Annotated[str, typer.Option(help="How the law is chosen: best, mdl, aic, bic, validation, accuracy, score.")] = "best",
    holdout: Annotated[float | None, typer.Option(
        min=0, max=0.9, help="The share of the rows held out for the verdict.", show_default="0.2 from 50 rows on")] = None,
    intervals: Annotated[str, typer.Option(
        metavar="wald|profile|none", callback=_method,
        help="The intervals of fitted constants; profile: by profile likelihood, slower, right where the formula bends.")] = "wald",
    level: Annotated[float, typer.Option(callback=_confidence, help="The confidence of the intervals.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="The seed of all randomness.")] = 0,
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option(help="A folder that keeps the run.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find a formula for a column of a table."""
    if resume and out is None:
        msg = "the folder of the run is required, as --out"
        raise typer.BadParameter(msg, param_hint="--resume")
    if time is None and max_evaluations is None:
        time = DEFAULT_TIME
    listed = None if features is None else [name.strip() for name in next(csv.reader([features], skipinitialspace=True))]
    is_file = Path(grammar).suffix == ".g" or len(Path(grammar).parts) > 1
    options = {
        "data": str(data.absolute()), "target": target, "features": listed, "weights": weights,
        "grammar": str(Path(grammar).absolute()) if is_file else grammar, "time_limit": time, "max_evaluations": max_evaluations,
        "max_complexity": max_complexity, "loss": loss, "selection": selection, "seed": seed, "threads": threads,
        "units": units if units in (None, "none") else str(Path(units).absolute()), "constants": constants,
        "sigma": sigma, "operators": operators, "template": template, "known": known or [], "constraints": constraint or [],
        "select_features": select_features, "encoder": encoder if encoder in ("auto", "none") else str(Path(encoder).absolute()),
        "guesses": guess or [], "holdout": holdout, "intervals": intervals, "level": level,
    }
    _run(options, out, resume, as_json, quiet)


def resume_run(
    run: Annotated[Path, typer.Argument(help="The folder given as --out.")],
    time: Time = None,
    max_evaluations: Evaluations = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Go on with a run; limits that are not given are as before."""
    from symnum.store import RunFolder

    with boundary():
        options = RunFolder.open(run).load_command()
    given = {"time_limit": time, "max_evaluations": max_evaluations, "threads": threads}
    _run(options | {key: value for key, value in given.items() if value is not None}, run, True, as_json, quiet)


def _run(options: dict[str, Any], out: Path | None, resume: bool, as_json: bool, quiet: bool) -> None:
    """Search with the options of the command line and report."""
    begun = _Begun(out, options)
    with boundary(lambda: begun.search), _progress(quiet) as callbacks:
        from symnum.discovery import check_limits, discover
        from symnum.language.grammar import Grammar
        from symnum.language.template import category_columns, language
        from symnum.problem.categories import read_with_categories

        limit = options["time_limit"]
        limit = limit if limit is not None and math.isfinite(limit) else None
        check_limits(limit, options["max_evaluations"], options["max_complexity"], options["selection"], options["threads"])
        keep = _columns_wanted(options.get("select_features", "auto"))
        Grammar.load(options["grammar"])  # a wrong one is told before the data are read
        weights, sigma = options["weights"], options.get("sigma")
        column = sigma is not None and not _is_number(sigma)
        if column and weights is not None:
            msg = f"either weights or a column of sigma was required, got --weights {weights} and --sigma {sigma}"
            raise ValueError(msg)
        form = options.get("template")
        categories = category_columns(form) if form is not None else ()
        weights = sigma if column else weights
        table, labels = read_with_categories(
            options["data"], categories, options["target"], options["features"], weights, options.get("units"))
        if column:
            table, sigma = dataclasses.replace(table, weight=None), table.weight

        from symnum.problem.regression import RegressionProblem

        problem = RegressionProblem.from_table(
            table, loss=options["loss"], seed=options["seed"], sigma=float(sigma) if isinstance(sigma, str) else sigma,
            constants=options.get("constants", "auto"), constraints=options.get("constraints", ()), holdout=options.get("holdout"),
        )
        _check_intervals(problem, options)
        known, guesses = options.get("known", ()), options.get("guesses", ())
        given = [v for k in (*known, *guesses) for v in _variables(k)]
        if form is None:
            problem = problem.screened(keep, given)
        table = problem.table
        grammar = language(problem.names, options["grammar"], options.get("operators"), known, form, labels)
        encoder = options.get("encoder", "none")  # runs of earlier versions had none
        discovery = discover(
            problem, grammar, time_limit=limit, max_evaluations=options["max_evaluations"], max_complexity=options["max_complexity"],
            seed=options["seed"], threads=options["threads"], callbacks=(*callbacks, begun), run_dir=out, resume=resume,
            selection=options["selection"], guesses=guesses, encoder=None if encoder == "none" else encoder,
        )
    if as_json:
        import json

        typer.echo(json.dumps(document(discovery, table, options, out), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        _report(discovery, table, options, out, quiet)
    if discovery.status.name == "INTERRUPTED":
        raise typer.Exit(INTERRUPTED)


def _columns_wanted(text: str) -> int | str | None:
    """`--select-features` as `screen` takes it."""
    if text in ("auto", "all"):
        return None if text == "all" else text
    if text.isdigit() and int(text) > 0:
        return int(text)
    msg = f"auto, all or a number of columns was required for --select-features, got {text!r}"
    raise ValueError(msg)


def _check_intervals(problem: "RegressionProblem", options: dict[str, Any]) -> None:
    """Profile likelihoods are of least squares: tell before the search that there will be none."""
    from symnum.evaluate.machine import MSE

    if options.get("intervals") == "profile" and problem.loss.kind != MSE:
        msg = f"least squares were required for --intervals profile, the loss is {problem.loss.name!r}; take --intervals wald"
        raise ValueError(msg)


def _interval_options(options: dict[str, Any]) -> tuple[str, float]:
    """The method and the level; runs begun by an earlier version have neither."""
    return options.get("intervals", "wald"), options.get("level", 0.95)


def _variables(text: str) -> tuple[str, ...]:
    from symnum.language.expr import Expr

    return Expr.parse(text).variables


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Begun:
    """Callback that notes that the search has begun, and keeps the command line in the run folder that it has made."""

    def __init__(self, out: Path | None, options: dict[str, Any]):
        self.out, self.options, self.search = out, options, False

    def on_start(self, run: Any) -> None:
        from symnum.store import RunFolder

        if self.out is not None:
            RunFolder.open(self.out).save_command(self.options)
        self.search = True

    def on_update(self, update: Any) -> None:
        """Nothing."""

    def on_end(self, discovery: Any) -> None:
        """Nothing."""


@contextmanager
def _progress(quiet: bool) -> Iterator[tuple]:
    """The callbacks that show progress; the terminal is given back whatever happens."""
    if quiet:
        yield ()
        return
    from symnum.callbacks import Progress

    progress = Progress()
    try:
        yield (progress,)
    finally:
        progress.close()


# results ----------------------------------------------------------------------------------------------------------------
def _report(discovery: "Discovery", table: "Table", options: dict[str, Any], out: Path | None, quiet: bool) -> None:
    """Print the front, the chosen law and what is known about it."""
    from rich.console import Console

    from symnum.callbacks import abbreviate, equation, front_table
    from symnum.report import intervals, known, units

    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = UNBROKEN
    found = len(discovery.front) > 0
    law = equation(discovery.target, discovery.best) if found else ""
    if quiet:
        console.print(law or discovery.status.value, soft_wrap=True)
        return
    if found:
        console.print(front_table(discovery.front, discovery.target, discovery.chosen))
        console.print(f"\n{law}\n", style="bold", soft_wrap=True)
    lines = [discovery.verdict.message if found else "", str(discovery.status.value)]
    if table.units:
        lines.append("units: " + ", ".join(f"{name} [{unit}]" for name, unit in table.units.items()))
    lines += [*known(discovery), *intervals(discovery, *_interval_options(options)), *units(discovery)]
    if discovery.exhausted_complexity:
        kind = "dimensionally consistent " if discovery.problem.typing is not None else ""
        lines.append(f"every {kind}formula of complexity up to {discovery.exhausted_complexity} was tried")
    figures = [f"{key.replace('_', ' ')} {abbreviate(value) if value >= 1000 else f'{value:.3g}'}"
               for key, value in discovery.statistics.items() if isinstance(value, int | float)]
    lines += [*table.notes, " · ".join([*figures, f"seed {discovery.seed}"])]
    lines += [f"saved in {out}"] if out is not None else []
    for line in filter(None, lines):
        console.print(line, soft_wrap=True)


def document(discovery: "Discovery", table: "Table", options: dict[str, Any], out: Path | None) -> dict[str, Any]:
    """The result as a JSON object; numbers that are not finite are null."""
    from symnum.report import constants
    from symnum.store import versions

    front, scores = discovery.front, discovery.front.scores
    method, level = _interval_options(options)
    rows = [{"complexity": c.complexity, "loss": c.loss, "score": score, "holdout": c.holdout,
             "equation": str(c.best), "fitted": str(c.expr), "description": c.description} for c, score in zip(front, scores, strict=True)]
    verdict = discovery.verdict if rows else None
    parts = discovery.template.parts(discovery.best.expr) if rows and discovery.template is not None else None
    return plain({
        "target": discovery.target,
        "features": list(table.names),
        "equation": rows[discovery.chosen]["equation"] if rows else None,
        "chosen": discovery.chosen if rows else None,
        "front": rows,
        "status": {"name": discovery.status.name, "message": discovery.status.value},
        "verdict": verdict and {"message": verdict.message, "r2": verdict.r2, "holdout_r2": verdict.holdout_r2},
        "exhausted_complexity": discovery.exhausted_complexity,
        "constraints": [{"constraint": j.constraint.text(discovery.target), "status": j.status.value, "message": j.message}
                        for j in discovery.judgements],
        "parts": parts,
        "statistics": discovery.statistics,
        "notes": list(table.notes),
        "intervals": [dataclasses.asdict(i) for i in discovery.intervals(level=level, method=method)]
                     if rows and method != "none" else [],
        "noise": {"sigma": discovery.problem.sigma, "estimate": dataclasses.asdict(discovery.problem.noise)},
        "units": dict(table.units),
        "constants": [{"value": value, "unit": unit} for value, unit in constants(discovery)] if rows else [],
        "options": options | {"seed": discovery.seed},
        "fingerprint": table.fingerprint,
        "run": None if out is None else str(out),
        "versions": versions(),
    })
