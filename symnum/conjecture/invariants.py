"""A table of objects and their exact invariants: what conjectures are made over.

    ObjectTable.read("knots.csv")              any table: integers, fractions and true/false, a first column of names
    ObjectTable.of_graphs(small_graphs())      graphs, every invariant and property of `symnum.conjecture.graphs`
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

from symnum.conjecture.exact import Column, exact_value
from symnum.conjecture.graphs import INVARIANTS, PROPERTIES, SmallGraph, Value
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
        invariants: by name, one int, Fraction or None (undefined there) per row; not constant.
        properties: by name, a bool array (rows,); not constant.
        always: the properties that hold for all rows.
        noun: what one row is called in statements.
        notes: what was left out, and why.
        graphs: the graphs of the rows, where they are graphs.

    >>> table = ObjectTable.of({"n": [1, 2, 3], "tau": [1, 2, 2], "odd": [True, False, True], "one": [1, 1, 1]}, noun="integer")
    >>> table.row(2), table.notes
    ({'n': 3, 'tau': 2, 'odd': True}, ('one is 1 on every row: left out',))
    """

    objects: tuple[str, ...]
    invariants: Mapping[str, tuple[int | Fraction | None, ...]]
    properties: Mapping[str, np.ndarray]
    always: tuple[str, ...] = ()
    noun: str = "object"
    notes: tuple[str, ...] = ()
    graphs: tuple[SmallGraph, ...] = ()

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]], objects: Sequence[str] | None = None, noun: str = "object") -> "ObjectTable":
        """A table from exact values by name; a column of bools is a property, constant columns are left out with a note.

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
        table = cls(tuple(map(str, objects or range(1, rows + 1))), {}, {}, noun=noun)
        return table._filled({name: _checked(name, values) for name, values in columns.items()})

    def _filled(self, columns: Mapping[str, tuple[Value, ...]]) -> "ObjectTable":
        invariants, properties, always, notes = {}, {}, [], []
        for name, values in columns.items():
            distinct = set(values)
            truth = isinstance(values[0], bool)
            if distinct == {True} and truth:
                always.append(name)
            elif len(distinct - {None}) <= 1:
                notes.append(f"{name} is {'undefined' if distinct == {None} else _text(*(distinct - {None}))} on every row: left out"
                             if len(distinct) == 1 else f"{name} is {_text(*(distinct - {None}))} wherever it is defined: left out")
            elif truth:
                properties[name] = np.array(values, bool)
            else:
                invariants[name] = values
        return replace(self, invariants=invariants, properties=properties, always=tuple(always), notes=(*self.notes, *notes))

    @classmethod
    def of_graphs(cls, graphs: Iterable[Any], invariants: Sequence[str] | None = None) -> "ObjectTable":
        """The table of graphs (`SmallGraph` or networkx), with the invariants of these names (all by default) and all properties.

        Raises:
            ValueError: no graphs, an unknown invariant, or a graph that is too large or not simple.

        >>> import networkx
        >>> table = ObjectTable.of_graphs([networkx.path_graph(4), networkx.cycle_graph(5)], ["order", "independence_number", "girth"])
        >>> table.invariants, table.always
        ({'order': (4, 5)}, ('connected', 'nontrivial', 'cyclic_or_tree'))
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
        return cls(tuple(map(str, small)), {}, {}, noun="graph", graphs=small)._filled(columns)

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
        objects, notes = None, []
        for j, name in enumerate(header):
            cells = [row[j] for row in rows]
            if not any(_looks_exact(c) or c.lower() in _NO_VALUE for c in cells):
                if objects is None:
                    objects = cells
                else:
                    notes.append(f"{name} is text: left out")
                continue
            columns[name] = tuple(_value(c, name, i, decimals) for i, c in enumerate(cells, 1))
            if len({isinstance(v, bool) for v in columns[name]}) > 1:
                msg = f"numbers or true/false were required in column {name!r}, it has both"
                raise ValueError(msg)
        names = tuple(objects or (str(i) for i in range(1, len(rows) + 1)))
        return cls(names, {}, {}, noun=noun, notes=tuple(notes))._filled(columns)

    def __len__(self) -> int:
        return len(self.objects)

    def row(self, i: int) -> dict[str, Value]:
        """The values of one object."""
        return {k: v[i] for k, v in self.invariants.items()} | {k: bool(v[i]) for k, v in self.properties.items()}

    def holds(self, hypothesis: Iterable[str]) -> np.ndarray:
        """Which rows have all these properties, (rows,).

        Raises:
            ValueError: an unknown property.
        """
        mask = np.ones(len(self), bool)
        for name in hypothesis:
            if name in self.always:
                continue
            if name not in self.properties:
                known = (*self.properties, *self.always)
                msg = f"a property among {', '.join(known) or '(the table has none)'} was required, got {name!r}{near(name, known)}"
                raise ValueError(msg)
            mask &= self.properties[name]
        return mask

    def column(self, expr: Expr) -> Column:
        """The exact values of a formula of the invariants on all rows."""
        if expr not in self._columns:
            wanted = expr.variables
            rows = ({name: self.invariants[name][i] for name in wanted} for i in range(len(self)))
            self._columns[expr] = Column.of([exact_value(expr, row) for row in rows])
        return self._columns[expr]

    @cached_property
    def _columns(self) -> dict[Expr, Column]:
        return {}

    def extended(self, graphs: Iterable[SmallGraph]) -> "ObjectTable":
        """The table of the same graphs and these."""
        return ObjectTable.of_graphs((*self.graphs, *graphs), [n for n in INVARIANTS if n in self.measured])

    @property
    def measured(self) -> frozenset[str]:
        """The names of all invariants that were computed, constant ones included."""
        return frozenset(self.invariants) | {note.split(" ", 1)[0] for note in self.notes}


@lru_cache(maxsize=200_000)
def measure(name: str, graph: SmallGraph) -> Value:
    """An invariant or property of a graph; remembered."""
    return (INVARIANTS.get(name) or PROPERTIES[name])(graph)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


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
