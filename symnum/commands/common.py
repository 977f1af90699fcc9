"""What the command files share: the boundary between errors and exit codes, and options that mean the same everywhere."""

import csv
import logging
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

BAD_INPUT, INTERRUPTED = 2, 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Latex = Annotated[bool, typer.Option("--latex", help="Print LaTeX, one formula a line.")]
Out = Annotated[Path | None, typer.Option(help="A folder for the ledger of the run.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; print the result only.")]


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM. Not a KeyboardInterrupt: one that passes through `exec` makes Python kill itself at exit."""


def _said(error: ValueError | OSError) -> str:
    """The message of an error; of the system's own the file and the reason, without the number."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def fail(message: str) -> NoReturn:
    """One message on standard error and exit code 2."""
    logging.getLogger("symnum").debug("bad input", exc_info=True)
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(BAD_INPUT) from None


@contextmanager
def boundary(begun: Callable[[], bool] = lambda: False, interrupted: str = "interrupted before a formula was found") -> Iterator[None]:
    """Bad input becomes one line and exit code 2, an interruption (Ctrl-C, SIGTERM) the message `interrupted` and exit code 130.

    Other errors are ours and keep their trace. So does every error once the task has `begun`: by then the input has been accepted.
    """
    def interrupt(*_: Any) -> None:
        raise _Interrupted

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        if begun():
            raise
        fail(_said(error))
    except KeyError as error:
        message = error.args[0] if error.args else None
        if begun() or not isinstance(message, str) or " " not in message:  # a bare key is no message
            raise
        fail(message)
    except (_Interrupted, KeyboardInterrupt):
        typer.echo(interrupted, err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupted(out: Path | None) -> str:
    """What to say when a run is interrupted."""
    return f"interrupted; all up to the last step is kept in {out}: resume with --resume" if out else "interrupted; kept nothing: no --out"


def check_options(latex: bool, as_json: bool, resume: bool, out: Path | None) -> None:
    """Refuse options that contradict each other.

    Raises:
        ValueError: --latex with --json, or --resume without --out.
    """
    if latex and as_json:
        raise ValueError("one of --latex and --json was required, got both")
    if resume and out is None:
        raise ValueError("--resume requires --out, the folder of the run that is to go on")


def listed(text: str | None) -> list[str] | None:
    """Names between commas, None where the option was not given; quotes may hold a comma."""
    return None if text is None else [name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip()]


@contextmanager
def progress(what: str, quiet: bool) -> Iterator[Callable[[int, int, int], None] | None]:
    """A bar on standard error that is told (done, all, found); None where it is not wanted or there is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as bar:
        row = bar.add_task(what)
        yield lambda done, total, found: bar.update(row, completed=done, total=total, description=f"{what}, {found} formulas")


def plain(value: Any) -> Any:
    """A result in the types of JSON: numpy's numbers and arrays too; numbers that are not finite are null, anything else its text."""
    if hasattr(value, "tolist"):  # numpy's numbers and arrays
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)
