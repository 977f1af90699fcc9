"""Measured data that ship with symnum; the README beside this file says where each set comes from.

Tables have a target and are for `fit`; trajectories have a time and are for `ode`.

>>> names()
('bode', 'hubble', 'kepler', 'leavitt', 'nikuradse')
>>> load("kepler").target
'period'
>>> trajectory_names()
('coffee', 'lynx_hare', 'yeast')
>>> trajectories("lynx_hare").states
('hare', 'lynx')
"""

from pathlib import Path
from typing import TYPE_CHECKING

from symnum.language.grammar_check import near

if TYPE_CHECKING:
    from symnum.dynamics.trajectory import Trajectories
    from symnum.problem.table import Table

HERE = Path(__file__).parent
TIMES = {"coffee": ("time", "cup"), "lynx_hare": ("year", None), "yeast": ("time", None)}  # trajectories: their columns of times and labels


def names() -> tuple[str, ...]:
    """The names of the shipped tables, sorted."""
    return tuple(sorted(p.stem for p in HERE.glob("*.csv")))


def trajectory_names() -> tuple[str, ...]:
    """The names of the shipped trajectories, sorted."""
    return tuple(sorted(TIMES))


def path(name: str) -> Path:
    """The file of a shipped set, a table or trajectories.

    Raises:
        ValueError: there is no such set.

    >>> path("bode").name
    'bode.csv'
    """
    if name in TIMES:
        return HERE / "trajectories" / f"{name}.csv"
    _check(name, (*names(), *trajectory_names()), "a data set")
    return HERE / f"{name}.csv"


def load(name: str) -> "Table":
    """A shipped table, whose target is its last column.

    Raises:
        ValueError: there is no such table.

    >>> table = load("nikuradse")
    >>> table.names, table.target, len(table)
    (('r_k', 'log_Re'), 'log_friction', 362)
    """
    from symnum.problem.table import read_table

    _check(name, names(), "a table", "; these are trajectories: symnum.data.trajectories" if name in TIMES else "")
    file = path(name)
    with file.open(encoding="utf-8") as lines:
        header = next(lines).strip().split(",")
    return read_table(file, target=header[-1])


def trajectories(name: str) -> "Trajectories":
    """Shipped trajectories.

    Raises:
        ValueError: there are none of that name.

    >>> data = trajectories("coffee")
    >>> len(data), data.rows, data.time
    (2, 48, 'time')
    """
    from symnum.problem.trajectory_file import read_trajectories

    _check(name, trajectory_names(), "a set of trajectories", "; this is a table: symnum.data.load" if name in names() else "")
    time, group = TIMES[name]
    return read_trajectories(path(name), time, group)


def _check(name: str, known: tuple[str, ...], what: str, hint: str = "") -> None:
    if name not in known:
        msg = f"{what} among {', '.join(known)} was required, got {name!r}{hint or near(name, known)}"
        raise ValueError(msg)
