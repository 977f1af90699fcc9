"""What the command files share: the boundary between errors and exit codes, and options that mean the same everywhere."""

import logging
import math
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

BAD_INPUT, INTERRUPTED = 2, 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; print the result only.")]


class _Interrupted(BaseException):
    """Ctrl-C or SIGTERM. Not a KeyboardInterrupt: one that passes through `exec` makes Python kill itself at exit."""


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
        fail(str(error))
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
