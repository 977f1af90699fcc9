"""A table of objects and their exact invariants: what conjectures are made over.

    ObjectTable.read("knots.csv")              any table: integers, fractions and true/false, a first column of names
    ObjectTable.of_graphs(small_graphs())      graphs, every invariant and property of `symnum.conjecture.objects.graphs`
"""

import csv
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from symnum.conjecture.objects.exact import Column, exact_value
from symnum.conjecture.objects.graphs import INVARIANTS, PROPERTIES, Value
from symnum.conjecture.objects.small_graph import SmallGraph
from symnum.language.expr import Expr
from symnum.language.grammar_check import near

DIGITS = 100  # of the largest number that is read
_NUMBER = re.compile(r"[+-]?\d+(/\d+)?")
_DECIMAL = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d{1,3})?")
_TRUTH = {"true": True, "false": False}
_NO_VALUE = frozenset({"", "-", "?", "na", "n/a", "null", "none", "nan", "inf", "+inf", "-inf", "infinity", "-infinity"})


@dataclass(frozen=True, eq=False)
class ObjectTable:
    """Objects, their numbers and their properties.

    Attributes:
        objects: what the rows are called, one name per row.
        columns: by name, one int, Fraction, bool or None (undefined there) per row.
        noun: what one row is called in statements.
        left_out: what was not read, and why.
        graphs: the graphs of the rows, where they are graphs.

    >>> table = ObjectTable.of({"n": [1, 2, 3], "tau": [1, 2, 2], "odd": [True, False, True], "one": [1, 1, 1]}, noun="integer")
    >>> list(table.invariants), list(table.properties), table.notes
    (['n', 'tau'], ['odd'], ('one is 1 on every row: not used',))
    """

    objects: tuple[str, ...]
    columns: Mapping[str, tuple[Value, ...]]
    noun: str = "object"
    left_out: tuple[str, ...] = ()
    graphs: tuple[SmallGraph, ...] = ()

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], objects: Sequence[str] | None = None, noun: str = "object") -> "ObjectTable":
        """A table from exact values by name; a column of bools is a property.

        Raises:
            ValueError: no rows, columns of different lengths, a name that is no text, or a value of another type.
        """
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1 or lengths == {0}:
            msg = f"columns of one length, at least one row, were required, got lengths {sorted(lengths)}"
            raise ValueError(msg)
        (rows,) = lengths
        if objects is not None and len(objects) != rows:
            msg = f"one name per row, {rows}, was required, got {len(objects)}"
            raise ValueError(msg)
        names = range(1, rows + 1) if objects is None else objects
        return cls(tuple(map(str, names)), {name: _checked(name, values) for name, values in columns.items()}, noun)

    @classmethod
    def of_graphs(cls, graphs: Iterable[Any], invariants: Sequence[str] | None = None) -> "ObjectTable":
        """The table of graphs (`SmallGraph` or networkx), with the invariants of these names (all by default) and all properties.

        Raises:
            ValueError: no graphs, an unknown invariant, or a graph that is too large or not simple.

        >>> import networkx
        >>> table = ObjectTable.of_graphs([networkx.path_graph(4), networkx.cycle_graph(5)], ["order", "independence_number", "girth"])
        >>> dict(table.invariants), table.always[:2]
        ({'order': (4, 5)}, ('connected', 'nontrivial'))
        """
        small = tuple(g if isinstance(g, SmallGraph) else SmallGraph.of(g) for g in graphs)
        if not small:
            msg = "at least one graph was required, got none"
            raise ValueError(msg)
        wanted = list(INVARIANTS if invariants is None else invariants)
        for name in wanted:
            if name not in INVARIANTS:
                msg = f"an invariant among {', '.join(INVARIANTS)} was required, got {name!r}{near(name, INVARIANTS)}"
                raise ValueError(msg)
        columns = {name: tuple(measure(name, g) for g in small) for name in (*wanted, *PROPERTIES)}
        return cls(tuple(map(str, small)), columns, "graph", graphs=small)

    @classmethod
    def read(cls, path: str | Path, decimals: bool = False, noun: str = "object") -> "ObjectTable":
        """A CSV (or ; or tab separated) file whose first line holds the names.

        Cells are integers, fractions such as 3/4, or true/false. The first column that is not numbers names the objects, further ones
        are left out with a note.

        Args:
            path: the file, UTF-8.
            decimals: read 0.25 as 1/4; otherwise decimals, which may be rounded floats, are refused unless they are whole.
            noun: what one row is called in statements.

        Raises:
            ValueError: the file is no such table: what is wrong, and in which row and column.
            OSError: it cannot be read.
        """
        header, rows = _cells(Path(path))
        columns: dict[str, tuple[Value, ...]] = {}
        objects, left_out = None, []
        for j, name in enumerate(header):
            cells = [row[j] for row in rows]
            if not any(_looks_exact(c) or c.lower() in _NO_VALUE for c in cells):
                if objects is None:
                    objects = cells
                else:
                    left_out.append(f"{name} is text: not used")
                continue
            columns[name] = tuple(_value(c, name, i, decimals) for i, c in enumerate(cells, 1))
            if len({isinstance(v, bool) for v in columns[name]}) > 1:
                msg = f"numbers or true/false were required in column {name!r}, it has both"
                raise ValueError(msg)
        return cls(tuple(objects or (str(i) for i in range(1, len(rows) + 1))), columns, noun, tuple(left_out))

    def __len__(self) -> int:
        return len(self.objects)

    @cached_property
    def invariants(self) -> Mapping[str, tuple[int | Fraction | None, ...]]:
        """The columns of numbers that are not constant."""
        return {k: v for k, v in self.columns.items() if not isinstance(v[0], bool) and len(set(v) - {None}) > 1}

    @cached_property
    def properties(self) -> Mapping[str, np.ndarray]:
        """The columns of bools that are not constant, as arrays (rows,)."""
        return {k: np.array(v, bool) for k, v in self.columns.items() if isinstance(v[0], bool) and len(set(v)) > 1}

    @property
    def always(self) -> tuple[str, ...]:
        """The properties that hold on every row."""
        return tuple(k for k, v in self.columns.items() if isinstance(v[0], bool) and set(v) == {True})

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not used, and why."""
        notes = []
        for name, values in self.columns.items():
            if len(set(values) - {None}) < 2 and name not in self.always:
                value = next((str(v).lower() for v in values if v is not None), "undefined")
                notes.append(f"{name} is {value} {'wherever it is defined' if len(set(values)) > 1 else 'on every row'}: not used")
        return (*self.left_out, *notes)

    def row(self, i: int) -> dict[str, Value]:
        """The values of one object."""
        return {k: v[i] for k, v in self.columns.items()}

    def holds(self, hypothesis: Iterable[str]) -> np.ndarray:
        """Which rows have all these properties, (rows,).

        Raises:
            ValueError: an unknown property.
        """
        mask = np.ones(len(self), bool)
        for name in hypothesis:
            known = [k for k, v in self.columns.items() if isinstance(v[0], bool)]
            if name not in known:
                msg = f"a property among {', '.join(known) or '(the table has none)'} was required, got {name!r}{near(name, known)}"
                raise ValueError(msg)
            mask &= np.array(self.columns[name], bool)
        return mask

    def column(self, expr: Expr) -> Column:
        """The exact values of a formula of the invariants on all rows."""
        if expr not in self._memo:
            wanted = [(name, self.columns[name]) for name in expr.variables]
            self._memo[expr] = Column.of([exact_value(expr, {name: v[i] for name, v in wanted}) for i in range(len(self))])
        return self._memo[expr]

    @cached_property
    def _memo(self) -> dict[Expr, Column]:
        return {}

    def extended(self, objects: Sequence[Any]) -> "ObjectTable":
        """The table with these objects too: graphs for a table of graphs, otherwise mappings from the columns' names to values."""
        if self.graphs:
            return ObjectTable.of_graphs((*self.graphs, *objects), [n for n in self.columns if n in INVARIANTS])
        columns = {name: (*values, *_checked(name, [o[name] for o in objects])) for name, values in self.columns.items()}
        names = tuple(str(o.get("name", f"extra {i}")) for i, o in enumerate(objects, 1))
        return replace(self, objects=(*self.objects, *names), columns=columns)


@lru_cache(maxsize=200_000)
def measure(name: str, graph: SmallGraph) -> Value:
    """An invariant or property of a graph; remembered."""
    return (INVARIANTS.get(name) or PROPERTIES[name])(graph)


def _checked(name: str, values: Sequence[Any]) -> tuple[Value, ...]:
    """Exact Python values, or an error that names the row."""
    if not isinstance(name, str) or not name.strip():
        msg = f"a text was required as the name of a column, got {name!r}"
        raise ValueError(msg)
    exact: list[Value] = []
    for i, v in enumerate(values, 1):
        if v is None or isinstance(v, bool | Fraction):
            exact.append(v)
        elif isinstance(v, np.bool_):
            exact.append(bool(v))
        elif isinstance(v, numbers.Rational):
            exact.append(int(v) if v.denominator == 1 else Fraction(int(v.numerator), int(v.denominator)))
        else:
            msg = f"an int, Fraction, bool or None was required in column {name!r}, row {i}, got {v!r} ({type(v).__name__})"
            raise ValueError(msg)
    if len({isinstance(v, bool) for v in exact}) > 1:
        msg = f"numbers or bools were required in column {name!r}, it has both (or a bool is missing)"
        raise ValueError(msg)
    if large := next((v for v in exact if v is not None and abs(v) > 10**DIGITS), None):
        msg = f"numbers up to 10^{DIGITS} were required, column {name!r} has one of {len(str(abs(int(large))))} digits"
        raise ValueError(msg)
    return tuple(exact)


# files -------------------------------------------------------------------------------------------------------------------
def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows, stripped; every row as long as the header."""
    if path.is_dir():
        msg = f"a file was required, {path} is a folder"
        raise ValueError(msg)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except UnicodeDecodeError:
        msg = f"a table as UTF-8 text was required, {path} is not"
        raise ValueError(msg) from None
    first = text.split("\n", 1)[0]
    separator = next((s for s in ",;\t" if s in first), ",")
    try:
        lines = [[c.strip() for c in row] for row in csv.reader(text.splitlines(), delimiter=separator)]
    except csv.Error as error:
        msg = f"a table of cells was required, {path} cannot be read: {error}"
        raise ValueError(msg) from None
    lines = [row for row in lines if any(row)]
    if len(lines) < 2:
        msg = f"a line of names and at least one row were required, {path} has {'nothing' if not lines else 'the names only'}"
        raise ValueError(msg)
    header, *rows = lines
    if "" in header:
        msg = f"a name for every column was required, column {header.index('') + 1} of {path} has none"
        raise ValueError(msg)
    if again := sorted({n for n in header if header.count(n) > 1}):
        msg = f"different names of columns were required, {path} has {', '.join(again)} twice"
        raise ValueError(msg)
    for i, row in enumerate(rows, 1):
        if len(row) != len(header):
            msg = f"{len(header)} cells were required in every row, row {i} of {path} has {len(row)}"
            raise ValueError(msg)
    return header, rows


def _looks_exact(cell: str) -> bool:
    return bool(_NUMBER.fullmatch(cell) or _DECIMAL.fullmatch(cell)) or cell.lower() in _TRUTH


def _value(cell: str, name: str, row: int, decimals: bool) -> Value:
    """The exact value of a cell."""
    place = f"in column {name!r}, row {row}"
    if cell.lower() in _TRUTH:
        return _TRUTH[cell.lower()]
    if not _looks_exact(cell):
        msg = f"an integer, a fraction such as 3/4, or true/false was required {place}, got {cell[:40]!r}"
        raise ValueError(msg)
    if len(cell) > 2 * DIGITS + 3:
        msg = f"numbers up to 10^{DIGITS} were required, {place} there are {len(cell)} digits"
        raise ValueError(msg)
    try:
        value = Fraction(cell)
    except ZeroDivisionError:
        msg = f"a number was required {place}, got {cell!r}"
        raise ValueError(msg) from None
    if abs(value) > 10**DIGITS or value.denominator > 10**DIGITS:
        msg = f"numbers up to 10^{DIGITS} were required, {place} there is {cell[:40]}"
        raise ValueError(msg)
    if value.denominator > 1 and "/" not in cell and not decimals:
        msg = (f"an exact number was required {place}, got the decimal {cell[:40]}, which may be rounded; "
               "write it as a fraction, or allow decimals where they are exact")
        raise ValueError(msg)
    return int(value) if value.denominator == 1 else value
