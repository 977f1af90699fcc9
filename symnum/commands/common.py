"""What the command files share: the boundary between errors and exit codes, and options that mean the same everywhere."""

import signal
from collections.abc import Iterator
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
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(BAD_INPUT)


@contextmanager
def boundary(interrupted: str = "interrupted before a formula was found") -> Iterator[None]:
    """Bad input becomes one line and exit code 2, an interruption (Ctrl-C, SIGTERM) the message `interrupted` and exit code 130.

    Other errors are ours and keep their trace.
    """
    def interrupt(*_: Any) -> None:
        raise _Interrupted

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except BrokenPipeError:
        raise
    except (ValueError, OSError) as error:
        fail(str(error))
    except KeyError as error:
        message = error.args[0] if error.args else None
        if not isinstance(message, str) or " " not in message:  # a bare key is no message
            raise
        fail(message)
    except (_Interrupted, KeyboardInterrupt):
        typer.echo(interrupted, err=True)
        raise typer.Exit(INTERRUPTED) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
