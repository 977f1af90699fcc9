"""Measured data that ship with symnum; the README beside this file says where each set comes from.

>>> names()
('bode', 'hubble', 'kepler', 'leavitt', 'nikuradse')
>>> load("kepler").target
'period'
"""

from pathlib import Path
from typing import TYPE_CHECKING

from symnum.language.grammar_check import near

if TYPE_CHECKING:
    from symnum.problem.table import Table


def names() -> tuple[str, ...]:
    """The names of the shipped sets, sorted."""
    return tuple(sorted(p.stem for p in Path(__file__).parent.glob("*.csv")))


def path(name: str) -> Path:
    """The file of a shipped set.

    Raises:
        ValueError: there is no such set.

    >>> path("bode").name
    'bode.csv'
    """
    if name not in names():
        msg = f"a data set among {', '.join(names())} was required, got {name!r}{near(name, names())}"
        raise ValueError(msg)
    return Path(__file__).with_name(f"{name}.csv")


def load(name: str) -> "Table":
    """A shipped set as a table whose target is its last column.

    >>> table = load("nikuradse")
    >>> table.names, table.target, len(table)
    (('r_k', 'log_Re'), 'log_friction', 362)
    """
    from symnum.problem.table import read_table

    file = path(name)
    with file.open(encoding="utf-8") as lines:
        header = next(lines).strip().split(",")
    return read_table(file, target=header[-1])
