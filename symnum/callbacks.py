"""What is told to the user while a search runs.

A `Callback` is called at the start, at updates and at the end; `Progress` shows the front (a live table on a terminal,
plain lines elsewhere), `Silent` shows nothing. `front_table` is the one rendering of a front, also used for results.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from symnum.language.expr import quote
from symnum.search.front import Candidate, Front

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

LIVE_PERIOD = 0.1  # seconds between two drawings on a terminal
LINE_PERIOD = 1.0  # seconds between two lines elsewhere
DIGITS = 6  # significant digits of constants in tables and lines


@dataclass(frozen=True, slots=True)
class Update:
    """Where a search stands.

    Attributes:
        elapsed: seconds since the start.
        time_limit: seconds, or None.
        evaluations: passes over the search rows so far, several per expression.
        max_evaluations: their limit, or None.
        rate: expressions per second, lately.
        front: the best so far.
        target: the target's name.
        message: what the search is doing.
    """

    elapsed: float
    time_limit: float | None
    evaluations: int
    max_evaluations: int | None
    rate: float
    front: Front
    target: str
    message: str = ""

    @property
    def fraction(self) -> float:
        """The share of the budget that is used, 0 … 1; 0 where there is no limit.

        >>> Update(15, 60, 500, 1000, 33.3, Front(), "y").fraction
        0.5
        """
        parts = [used / limit for used, limit in ((self.elapsed, self.time_limit), (self.evaluations, self.max_evaluations)) if limit]
        return min(1.0, max(parts, default=0.0))


@runtime_checkable
class Callback(Protocol):
    """Anything with these three methods; an exception from one ends the search."""

    def on_start(self, run: Any) -> None:
        """The search begins; `run` is the loop's own record of it."""

    def on_update(self, update: Update) -> None:
        """The search goes on; called a few times per second."""

    def on_end(self, discovery: Any) -> None:
        """The search has ended with a `Discovery`, also where it was interrupted."""


class Silent:
    """Shows nothing.

    >>> isinstance(Silent(), Callback)
    True
    """

    def on_start(self, run: Any) -> None:
        """Nothing."""

    def on_update(self, update: Update) -> None:
        """Nothing."""

    def on_end(self, discovery: Any) -> None:
        """Nothing."""


class Progress:
    """Shows the front while it grows: a live table and a bar on a terminal; elsewhere a line whenever the front has
    changed, at most one per second.

    Args:
        console: a rich console; standard error where None.

    >>> import sys
    >>> from rich.console import Console
    >>> from symnum.language.expr import Expr
    >>> progress = Progress(Console(file=sys.stdout, width=100))
    >>> front = Front().merged([Candidate(Expr.parse("365*distance"), 3, 0.25)])
    >>> progress.on_update(Update(1.5, 60, 41000, None, 27000.0, front, "period"))
    1.5 s · 41.0k evaluations · complexity 3 · loss 0.25 · period = 365*distance
    """

    def __init__(self, console: "Console | None" = None):
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self._live = None
        self._shown: tuple = ()
        self._next = 0.0

    def on_start(self, run: Any) -> None:
        """Open the live display on a terminal."""
        if self.console.is_terminal:
            from rich.live import Live

            self._live = Live(console=self.console, auto_refresh=False, transient=True)
            self._live.start()

    def on_update(self, update: Update) -> None:
        """Draw, or print a line."""
        now = time.monotonic()
        if now < self._next:
            return
        if self._live is not None:
            self._next = now + LIVE_PERIOD
            self._live.update(_screen(update, self.console), refresh=True)
        elif update.front.candidates and update.front.candidates != self._shown:
            self._next = now + LINE_PERIOD
            self._shown = update.front.candidates
            self.console.print(_line(update), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def on_end(self, discovery: Any) -> None:
        """Close the live display."""
        self.close()

    def close(self) -> None:
        """Give the terminal back; harmless when called again."""
        live, self._live = self._live, None
        if live is not None:
            live.stop()


# rendering --------------------------------------------------------------------------------------------------------------
def front_table(front: Front, target: str, chosen: int | None = None, rows: Sequence[int] | None = None, shorten: bool = False) -> "Table":
    """A front as a rich table: complexity, loss, score, equation with constants to six digits.

    Args:
        front: what to show.
        target: the left side of the equations.
        chosen: the row to mark with `>`.
        rows: which rows to show; all where None.
        shorten: cut long equations with an ellipsis instead of folding them.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    for name in ("complexity", "loss", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("equation", overflow="ellipsis" if shorten else "fold", no_wrap=shorten)
    scores = front.scores
    for i in range(len(front)) if rows is None else rows:
        c = front[i]
        cells = (">" if i == chosen else "", str(c.complexity), f"{c.loss:.4g}", f"{scores[i]:.3g}", equation(target, c, DIGITS))
        table.add_row(*(Text(cell) for cell in cells), style="bold" if i == chosen else None)
    return table


def equation(target: str, candidate: Candidate, digits: int | None = None) -> str:
    """The candidate as `target = formula`, its free constants to `digits` significant digits or in full.

    >>> from symnum.language.expr import Expr
    >>> equation("orbital period", Candidate(Expr.parse("365.24219*a"), 3, 0.1), digits=4)
    '`orbital period` = 365.2*a'
    """
    expr = candidate.best
    if digits is not None:
        expr = expr.with_constants(float(f"{c:.{digits}g}") for c in expr.constants)
    return f"{quote(target)} = {expr}"


def _screen(update: Update, console: "Console") -> "Group":
    """The bar and what fits of the front: the most accurate rows, below a terminal's height."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    room = max(1, console.height - 6)
    rows = range(len(update.front))[-room:]
    status = Text(_status(update), no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(total=1.0, completed=update.fraction, width=min(60, console.width))
    return Group(status, bar, front_table(update.front, update.target, rows=rows, shorten=True))


def _status(update: Update) -> str:
    limit = "" if update.time_limit is None else f" of {update.time_limit:g}"
    most = "" if update.max_evaluations is None else f" of {abbreviate(update.max_evaluations)}"
    evaluations = f"{abbreviate(update.evaluations)}{most} evaluations"
    parts = [f"{update.elapsed:.1f}{limit} s", evaluations, f"{abbreviate(update.rate)} expressions/s", update.message]
    return " · ".join(part for part in parts if part)


def _line(update: Update) -> str:
    best = update.front[-1]
    text = equation(update.target, best, DIGITS)
    text = text if len(text) <= 120 else text[:119] + "…"
    evaluations = f"{abbreviate(update.evaluations)} evaluations"
    return f"{update.elapsed:.1f} s · {evaluations} · complexity {best.complexity} · loss {best.loss:.4g} · {text}"


def abbreviate(n: float) -> str:
    """A number of things in three digits.

    >>> abbreviate(950), abbreviate(41_000), abbreviate(3.21e6)
    ('950', '41.0k', '3.21M')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:#.3g}{unit}"
    return f"{n:.0f}"
