"""Dimensional analysis of a table: which columns can enter, whether constants must carry units, and dimensionless groups.

Buckingham (1914), doi:10.1103/PhysRev.4.345: a law between n quantities whose dimensions have rank r is one between n - r
dimensionless products pi of powers of them. So y = M(x) F(pi_1, …, pi_k), with M any product of powers that has the
dimension of y. The products are not unique: `buckingham` gives the simplest choices. All arithmetic is exact.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import combinations, islice
from math import lcm

import numpy as np

from symnum.language.expr import Expr
from symnum.language.ops import compile_spelling
from symnum.language.typed import DIVIDE, MULTIPLY, POWER, PURE, SCALE, SIGN, rule_of
from symnum.language.units import BASE, CARRIERS, parse_unit, unit_text
from symnum.problem.reduction import HOLE, Reduction, monomial
from symnum.problem.table import DataError, Table

ALTERNATIVES = 4  # reductions given
TRIED = 5000  # choices of repeating variables looked at …
EXACTLY = 6  # … and of those, with small exponents, compared exactly
FREE = "constants may carry units"
ALIKE = 3  # columns of one dimension that are considered as repeating variables

Vector = tuple[Fraction, ...]


def of_table(table: Table) -> tuple[np.ndarray, np.ndarray] | None:
    """Exponents (features, 7) of the columns and (7,) of the target, None where a unit is missing.

    >>> from symnum.problem.table import as_table
    >>> t = as_table([[1], [2]], [1, 2], ["t"], target="h", units={"t": "s", "h": "m"})
    >>> of_table(t)[0].tolist(), of_table(t)[1].tolist()
    ([[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]], [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    """
    units = [parse_unit(table.units.get(name, "")) for name in (*table.names, table.target)]
    if any(u is None for u in units):
        return None
    dims = np.array([[float(p) for p in u.exponents] for u in units]).reshape(len(units), len(BASE))
    return dims[:-1], dims[-1]


# what the units allow -----------------------------------------------------------------------------------------------------
def outsiders(names: Sequence[str], dims, target_dim) -> dict[str, str]:
    """Columns that cannot enter a law whose constants are pure numbers, with the reason: nothing cancels their dimension.

    >>> outsiders(["x", "m", "k"], [[0, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], [0] * 7], [0, 2, 0, 0, 0, 0, 0])
    {'m': "column 'm' [kg] cannot enter: no other column carries mass"}
    """
    return dict(_outsiders(tuple(names), tuple(_exact(dims)), _exact([target_dim])[0]))


@lru_cache(maxsize=16)
def _outsiders(names: tuple[str, ...], vectors: tuple[Vector, ...], target: Vector) -> dict[str, str]:
    count, found = Counter(vectors), {}  # of many columns few have a dimension of their own
    for name, vector in zip(names, vectors, strict=True):
        if count[vector] > 1 or not any(vector):
            continue
        others = [*(v for v in count if v != vector), target]
        if _solve(others, vector) is None:
            alone = [what for what, p, *rest in zip(CARRIERS, vector, *others, strict=True) if p and not any(rest)]
            why = f"no other column carries {' or '.join(alone)}" if alone else "the units of the others do not make it"
            found[name] = f"column {name!r} [{unit_text(vector)}] cannot enter: {why}"
    return found


def unreachable(table: Table) -> str | None:
    """Why the target's unit is no product of powers of the columns' units, None where it is one (or a unit is not known)."""
    found = of_table(table)
    if found is None:
        return None
    vectors, target = _exact(found[0]), _exact([found[1]])[0]
    if _solve(list(dict.fromkeys(vectors)), target) is not None:
        return None
    missing = [what for what, p, *rest in zip(CARRIERS, target, *vectors, strict=True) if p and not any(rest)]
    why = f"none of them carries {' or '.join(missing)}" if missing else "their powers do not combine to it"
    return f"the unit of {table.target!r} [{table.units[table.target]}] is no product of powers of the columns' units: {why}"


def completed(kept: Sequence[int], order: Sequence[int], dims, target_dim) -> list[int]:
    """Columns to add to the kept ones so that their units make the target's; none where they do, or where all columns do not.

    Args:
        kept: positions of columns.
        order: positions of all columns, those to be preferred first.
        dims, target_dim: as for `outsiders`.

    >>> m, s = [0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0]
    >>> completed([0], [0, 1, 2], [m, m, s], [0, 1, -1, 0, 0, 0, 0])
    [2]
    """
    vectors, target = _exact(dims), _exact([target_dim])[0]
    have = list(dict.fromkeys(vectors[j] for j in kept))
    if _solve(have, target) is not None or _solve(list(dict.fromkeys(vectors)), target) is None:
        return []
    added: list[int] = []
    for j in order:
        if vectors[j] not in have and _solve(have, vectors[j]) is None:
            added.append(j)
            have.append(vectors[j])
            if _solve(have, target) is not None:
                break
    for j in reversed(added[:-1]):  # what came in before the decisive one may not be needed
        fewer = [v for v in have if v != vectors[j]]
        if _solve(fewer, target) is not None:
            have = fewer
            added.remove(j)
    return added


def free_constants(table: Table, constants: str = "auto") -> bool:
    """Whether constants may carry units. `auto`: where pure numbers give no law, or leave a column without a way into it."""
    return why_free(table) is not None if constants == "auto" else constants == "free"


def why_free(table: Table) -> str | None:
    """Why pure numbers do not suffice as constants, None where they do (or a unit is not known)."""
    found = of_table(table)
    if found is None:
        return None
    return unreachable(table) or next(iter(outsiders(table.names, *found).values()), None)


def noted(table: Table, constants: str) -> Table:
    """The table with a note where its units make `auto` constants carry units, and which column is the reason."""
    why = why_free(table) if constants == "auto" else None
    notes = [n for n in table.notes if not n.startswith(FREE)] + ([f"{FREE}: {why}"] if why else [])
    return table if tuple(notes) == tuple(table.notes) else replace(table, notes=tuple(notes))


def check_constants(table: Table, constants: str) -> None:
    """Refuse what cannot be.

    Raises:
        DataError: no such choice, or pure numbers where the target's unit cannot be made from those of the columns.
    """
    if constants not in ("auto", "dimensionless", "free"):
        msg = f"constants='auto', 'dimensionless' or 'free' was required, got {constants!r}"
        raise DataError(msg)
    if constants == "dimensionless" and (why := unreachable(table)):
        msg = f"{why}; add the missing quantity as a column, correct the units, or allow constants with units (constants='free')"
        raise DataError(msg)


def constant_units(expr: Expr, names: Sequence[str], dims, target_dim) -> list[str] | None:
    """The unit that each free constant of a formula must have, in order; None where no units make it consistent.

    Every subtree's dimension is linear in those of the constants, and every units rule is a linear equation. Where the
    equations leave a choice, as in c*x*(d + y), the later constant is a pure number.

    >>> m, s = [0, 1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0]
    >>> constant_units(Expr.parse("4.905*t^2 + 1.5*sin(2.5*t)"), ["t"], [s], m)
    ['m/s^2', 'm', '1/s']
    >>> constant_units(Expr.parse("t + 1.5"), ["t"], [s], m) is None
    True
    """
    known = dict(zip(names, _exact(dims), strict=True))
    unknown = sum(isinstance(t, float) or t == 0 for t in expr.tokens)
    indices = iter(range(unknown))
    equations: list[tuple[Vector, Vector]] = []  # coefficients of the unknown dimensions, and what they must add up to

    def leaf(token) -> _Dimension:
        if isinstance(token, float) or token == 0:
            i = next(indices)
            return _Dimension(tuple(Fraction(i == j) for j in range(unknown)), _NONE, float(token))
        return _Dimension((Fraction(0),) * unknown, known.get(token, _NONE), token if isinstance(token, int) else None)

    def branch(op, arguments: list[_Dimension]) -> _Dimension:
        rule, p = rule_of(op.units)
        first, *rest = arguments
        if rule == MULTIPLY:
            return first.plus(rest[0], 1, op)
        if rule == DIVIDE:
            return first.plus(rest[0], -1, op)
        if rule in (PURE, SIGN):
            if rule == PURE:
                equations.extend((a.of_constants, tuple(-q for q in a.of_columns)) for a in arguments)
            return _Dimension((Fraction(0),) * unknown, _NONE, None)
        if rule == POWER:
            equations.append((rest[0].of_constants, tuple(-q for q in rest[0].of_columns)))
            if rest[0].value is None:  # a pure number to a power that varies
                equations.append((first.of_constants, tuple(-q for q in first.of_columns)))
            return first.times(rest[0].value or 0)
        for other in rest:
            difference = first.plus(other, -1)
            equations.append((difference.of_constants, tuple(-q for q in difference.of_columns)))
        return replace(first.times(Fraction(p).limit_denominator(60)) if rule == SCALE else first, value=_value(op, arguments))

    root = expr.fold(leaf, branch)
    target = _exact([target_dim])[0]
    equations.append((root.of_constants, tuple(t - q for t, q in zip(target, root.of_columns, strict=True))))
    columns = list(zip(*(coefficients for coefficients, _ in equations), strict=True))
    solved = [_solve(columns, wanted) for wanted in zip(*(right for _, right in equations), strict=True)]
    if any(s is None for s in solved):
        return None
    zero = [t == 0 and not isinstance(t, float) for t in expr.tokens if isinstance(t, float) or t == 0]
    return [unit_text(powers) for powers, is_zero in zip(zip(*solved, strict=True), zero, strict=True) if not is_zero]


_NONE: Vector = (Fraction(0),) * len(BASE)


@dataclass(frozen=True, slots=True)
class _Dimension:
    """The dimension of a subtree: `of_constants` times those of the unknown constants, and `of_columns`; its value if constant."""

    of_constants: Vector
    of_columns: Vector
    value: float | Fraction | None

    def times(self, p) -> "_Dimension":
        p = Fraction(p).limit_denominator(1000)
        return _Dimension(tuple(p * c for c in self.of_constants), tuple(p * c for c in self.of_columns), None)

    def plus(self, other: "_Dimension", sign: int, op=None) -> "_Dimension":
        both = (tuple(a + sign * b for a, b in zip(x, y, strict=True)) for x, y in ((self.of_constants, other.of_constants),
                                                                                 (self.of_columns, other.of_columns)))
        return _Dimension(*both, None if op is None else _value(op, [self, other]))


def _value(op, arguments: list[_Dimension]) -> float | None:
    """The value of an operator where its arguments are constants, as they are in exponents."""
    if any(a.value is None for a in arguments):
        return None
    with np.errstate(all="ignore"):
        value = compile_spelling(op, "numpy")(*(np.float64(a.value) for a in arguments))
    return float(value) if np.isfinite(value) else None


# groups -----------------------------------------------------------------------------------------------------------------
def buckingham(names: Sequence[str], dims, target_dim) -> list[Reduction]:
    """Reductions y = M(x) F(pi_1 … pi_k) by dimensional analysis, the simplest first.

    The groups are built by repeating variables: independent columns R, as many as the rank, of which every other column x_j
    gives one group x_j^q R^p. Choices of R differ in the exponents that they need; the smallest and sparsest come first.

    Args:
        names: the columns.
        dims: (features, 7) exponents of the base units.
        target_dim: (7,) exponents of the target.

    Returns:
        up to four reductions; where no group is left, the one with M as its only column, y = F(M), and none where the target
        is a pure number that must be constant.

    Raises:
        DataError: no product of powers has the target's dimension.

    >>> pendulum = buckingham(["l", "g", "a"], [[0, 1, 0, 0, 0, 0, 0], [0, 1, -2, 0, 0, 0, 0], [0] * 7], [0, 0, 1, 0, 0, 0, 0])
    >>> [str(c) for c in pendulum[0].columns], str(pendulum[0].outer)
    (['a'], 'sqrt(l)/sqrt(g)*`?`')
    """
    vectors, target = _exact(dims), _exact([target_dim])[0]
    if _solve(vectors, target) is None:
        msg = f"columns whose units make [{unit_text(target)}] were required, got {', '.join(map(_with_unit, names, vectors))}"
        raise DataError(msg)
    bases = _bases(vectors, target)
    prefactors = sorted({p for _, p in bases}, key=lambda p: (_cost(p), [-q for q in p]))
    groups = sorted({g for g, _ in bases}, key=lambda g: (sum(map(_cost, g)), [[-q for q in p] for p in g]))
    if not any(groups) and not any(map(any, prefactors)):
        return []
    ranks = [(i, j) for i in range(len(groups)) for j in range(len(prefactors)) if i + j < ALTERNATIVES]
    ranks.sort(key=lambda r: (sum(r), sum(map(_cost, groups[r[0]])) + _cost(prefactors[r[1]])))  # variety in both, the simplest first
    return [_reduction(names, groups[i], prefactors[j]) for i, j in ranks[:ALTERNATIVES]]


def _bases(vectors: list[Vector], target: Vector) -> list[tuple[tuple[Vector, ...], Vector]]:
    """(groups, prefactor), as exponents of all columns, for the choices of repeating variables that need the smallest ones."""
    rank = _rank(vectors)
    order = sorted(range(len(vectors)), key=lambda j: (sum(map(abs, vectors[j])), j))
    seen: dict[Vector, int] = {}
    pool = []
    for j in order:
        seen[vectors[j]] = seen.get(vectors[j], 0) + 1
        if any(vectors[j]) and seen[vectors[j]] <= ALIKE:
            pool.append(j)
    return [_basis(vectors, target, chosen) for chosen in _simplest(vectors, target, list(islice(combinations(pool, rank), TRIED)))]


def _simplest(vectors: list[Vector], target: Vector, choices: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Of choices of columns, independent ones for which the others' exponents, or the target's, are smallest; in floats."""
    all_of = np.array([*vectors, target], float)
    index = np.array(choices, int).reshape(len(choices), -1)
    bases = all_of[index].transpose(0, 2, 1)  # (choices, 7, rank)
    index = index[np.linalg.matrix_rank(bases) == index.shape[1]]
    bases = all_of[index].transpose(0, 2, 1)
    powers = np.linalg.pinv(bases) @ all_of.T  # (choices, rank, columns + 1)
    cost = (np.abs(powers) + (np.abs(powers) > 1e-9) + 2 * (np.abs(powers - np.round(powers)) > 1e-9)).sum(axis=1)
    groups, prefactor = (np.argsort(c, kind="stable")[:EXACTLY] for c in (cost[:, :-1].sum(axis=1), cost[:, -1]))
    return [tuple(index[i].tolist()) for i in dict.fromkeys([*groups.tolist(), *prefactor.tolist()])]


def _basis(vectors: list[Vector], target: Vector, chosen: tuple[int, ...]) -> tuple[tuple[Vector, ...], Vector]:
    """One group for every column that is not chosen, and the prefactor."""
    others = [j for j in range(len(vectors)) if j not in chosen]
    wanted = [*(vectors[j] for j in others), target]
    rows = [list(row) for row in zip(*(vectors[j] for j in chosen), *wanted, strict=True)]
    reduced = _eliminated(rows, len(chosen))[0]

    def spread(column: int) -> list[Fraction]:
        out = [Fraction(0)] * len(vectors)
        for row, j in zip(reduced, chosen, strict=False):
            out[j] = row[len(chosen) + column]
        return out

    groups = []
    for i, j in enumerate(others):
        group = [-p for p in spread(i)]
        group[j] += 1
        groups.append(_upright(group))
    return tuple(sorted(groups, key=lambda g: (_cost(g), [-p for p in g]))), tuple(spread(len(others)))


def _upright(group: Sequence[Fraction]) -> Vector:
    """The group with whole exponents, without a common factor, with the fewer columns below the stroke."""
    factor = lcm(*(p.denominator for p in group))
    whole = [int(p * factor) for p in group]
    divisor = int(np.gcd.reduce(whole))
    sign = -1 if (sum(np.sign(whole)), whole) < (0, [-p for p in whole]) else 1
    return tuple(Fraction(sign * p, divisor) for p in whole)


def _cost(powers: Sequence[Fraction]) -> Fraction:
    """Small and sparse whole exponents are cheap, roots dear."""
    return sum((abs(p) + 1 + 2 * (p.denominator > 1) for p in powers if p), Fraction(0))


def _reduction(names: Sequence[str], groups: tuple[Vector, ...], prefactor: Vector) -> Reduction:
    hole = Expr.var(HOLE)
    scale = monomial(_by_name(names, prefactor)) if any(prefactor) else None
    if not groups:
        return Reduction((scale,), ("pi_1",), hole, hole, f"units: the target is a function of {scale}")
    columns = tuple(monomial(_by_name(names, g)) for g in groups)
    new = tuple(_fresh(f"pi_{i + 1}", names) for i in range(len(groups)))
    reason = f"units: {', '.join(map(str, columns))} are dimensionless" + (f", the target goes with {scale}" if scale else "")
    if scale is None:
        return Reduction(columns, new, hole, hole, reason)
    return Reduction(columns, new, scale * hole, hole / scale, reason)


def _fresh(name: str, names: Sequence[str]) -> str:
    return _fresh(f"{name}_", names) if name in names else name


def _by_name(names: Sequence[str], powers: Vector) -> Mapping[str, Fraction]:
    return {name: p for name, p in zip(names, powers, strict=True) if p}


def _with_unit(name: str, vector: Vector) -> str:
    return f"{name} [{unit_text(vector)}]"


# exact linear algebra -----------------------------------------------------------------------------------------------------
def _exact(dims) -> list[Vector]:
    return [tuple(Fraction(float(p)).limit_denominator(60) for p in row) for row in dims]


def _rank(vectors: Sequence[Vector]) -> int:
    return len(_eliminated([list(v) for v in vectors])[1])


def _solve(vectors: Sequence[Vector], wanted: Vector) -> list[Fraction] | None:
    """Coefficients with which the vectors add up to `wanted`, those not needed 0; None where there are none."""
    rows = [[*column, w] for *column, w in zip(*vectors, wanted, strict=True)]
    reduced, pivots = _eliminated(rows)
    if len(vectors) in pivots:
        return None
    out = [Fraction(0)] * len(vectors)
    for row, pivot in zip(reduced, pivots, strict=False):
        out[pivot] = row[-1]
    return out


def _eliminated(rows: list[list[Fraction]], columns: int | None = None) -> tuple[list[list[Fraction]], list[int]]:
    """Reduced row echelon form and its pivot columns, among the first `columns`."""
    pivots: list[int] = []
    for column in range(columns if columns is not None else len(rows[0]) if rows else 0):
        top = len(pivots)
        at = next((i for i in range(top, len(rows)) if rows[i][column]), None)
        if at is None:
            continue
        rows[top], rows[at] = rows[at], rows[top]
        rows[top] = [p / rows[top][column] for p in rows[top]]
        for i, row in enumerate(rows):
            if i != top and row[column]:
                rows[i] = [p - row[column] * q for p, q in zip(row, rows[top], strict=True)]
        pivots.append(column)
    return rows, pivots
