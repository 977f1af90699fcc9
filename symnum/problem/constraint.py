"""What the user knows about the law beforehand: sign, range, boundary values, monotony, curvature, symmetry.

    y >= 0                0 <= y <= 1           y > 0 for 0 <= x0 <= 10
    increasing(x0)        decreasing(x1)        convex(x0)       concave(x0) for x0 >= 1
    f(x0=0) = 1           f(x0=0) = 1 ± 0.01    even(x0)         odd(x0)

`parse` reads such a text into a `Constraint`; `Constraints` binds some to data and judges formulas: on points for whole
batches (cheap enough for every formula that a search looks at), and by interval arithmetic for one finished formula, which
is then *proved* to comply, refuted, or known to comply on so many points. Regions that are not given are the data's box.

Shape constraints in symbolic regression: Kronberger et al. 2022, doi:10.1162/evco_a_00294 (interval arithmetic: §3.2,
sampling: §3.3); here formulas that violate one are kept from the front, and searches see them behind all that comply.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

import numpy as np

from symnum.language.expr import Expr, quote
from symnum.language.ops import Interval
from symnum.problem.constraint_proof import prove

SHAPES = ("increasing", "decreasing", "convex", "concave", "even", "odd")
LINE = 5  # points of a line along one variable
FEW, MANY = 64, 512  # points (lines take a quarter) for the judgement of a batch, and of one formula
ROUNDING = 1e-10  # share of the values' size below which a difference is taken for rounding
EXACTLY = 1e-6  # tolerance of boundary values, in units of the larger of the value and the spread of the target


@dataclass(frozen=True, slots=True)
class Constraint:
    """One statement about the law.

    Attributes:
        kind: `range`, or one of increasing, decreasing, convex, concave, even, odd.
        variable: the column of a shape; empty for a range.
        target: the admissible values of a range.
        region: column -> `Interval` or (low, high), where it holds; ±inf where the data's end is meant.
        tolerance: of a boundary value, None where it was not given.
    """

    kind: str
    variable: str = ""
    target: Interval = Interval()
    region: Mapping[str, Interval] = field(default_factory=dict)
    tolerance: float | None = None

    def __post_init__(self):
        if self.kind != "range" and self.kind not in SHAPES:
            msg = f"a constraint's kind must be range, {', '.join(SHAPES)}, got {self.kind!r}"
            raise ValueError(msg)
        if (self.kind == "range") == bool(self.variable):
            msg = f"a shape needs a variable and a range none, got {self.kind} and {self.variable!r}"
            raise ValueError(msg)
        region = {n: r if isinstance(r, Interval) else Interval(*map(float, r)) for n, r in self.region.items()}
        object.__setattr__(self, "region", region)
        for name, r in region.items():
            if not r.low <= r.high:
                msg = f"a region {name} with low <= high was required, got {r.low:g} … {r.high:g}"
                raise ValueError(msg)
        if not self.target.low <= self.target.high:
            msg = f"a range with low <= high was required, got {self.target.low:g} … {self.target.high:g}"
            raise ValueError(msg)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it names."""
        return tuple(dict.fromkeys([*([self.variable] if self.variable else []), *self.region]))

    def text(self, target: str = "y") -> str:
        """The statement, which `parse` reads back.

        >>> parse("0<y <=1 for x0>=2", ["x0"]).text()
        '0 < y <= 1 for x0 >= 2'
        """
        name = quote(target)
        if self.variable:
            head = f"{self.kind}({quote(self.variable)})"
        elif self.target.low == self.target.high:
            head = f"{name} = {_number(self.target.low)}" + ("" if self.tolerance is None else f" ± {_number(self.tolerance)}")
        else:
            head = _between(name, self.target)
        where = ", ".join(_between(quote(n), within) for n, within in self.region.items())
        return f"{head} for {where}" if where else head


def _between(name: str, within: Interval) -> str:
    if within.low == within.high:
        return f"{name} = {_number(within.low)}"
    if within.high == math.inf:
        return f"{name} {'>' if within.open_low else '>='} {_number(within.low)}"
    low = "" if within.low == -math.inf else f"{_number(within.low)} {'<' if within.open_low else '<='} "
    return f"{low}{name} {'<' if within.open_high else '<='} {_number(within.high)}"


def _number(value: float) -> str:
    return repr(float(value)).removesuffix(".0")


def parse(text: "str | Constraint", names: Sequence[str], target: str = "y") -> Constraint:
    """Read a statement about the law; a `Constraint` is only checked.

    Args:
        text: see the module; columns with odd names in backquotes, numbers may be expressions such as `pi/2`.
        names: the columns.
        target: the target's name; `y` and `f` mean it too, where no column is called so.

    Raises:
        ValueError: text that says nothing, or of something that is no column; the message says what is possible.

    >>> parse("increasing(x0) for 0 <= x0 <= 10", ["x0", "x1"])
    Constraint(kind='increasing', variable='x0', ...region={'x0': Interval(low=0.0, high=10.0, ...
    >>> parse("f(x0=0) = 1", ["x0"]).text()
    'y = 1 for x0 = 0'
    """
    from symnum.problem.constraint_text import read

    constraint = text if isinstance(text, Constraint) else read(text, tuple(names), target)
    for name in constraint.columns:
        if name not in names:
            from symnum.language.grammar_check import near

            msg = (f"a constraint must name columns that the formula may use ({', '.join(names[:8])}), {text!r} names {name!r}"
                   f"{near(name, names)}; columns that are constant are left out")
            raise ValueError(msg)
    return constraint


class Status(Enum):
    """What is known of a formula and a constraint."""

    PROVED = "proved"
    HOLDS = "holds"
    VIOLATED = "violated"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A constraint's verdict on a formula: `message` in words, `points` it was looked at on."""

    constraint: Constraint
    status: Status
    points: int
    message: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Points on which formulas are judged.

    Attributes:
        X: (M, columns) points, those of each constraint together.
        shapes: per constraint (lines, points of a line).
        required: (M,) where a formula must be defined: rows of the data moved into a region that the user gave.
    """

    X: np.ndarray
    shapes: tuple[tuple[int, int], ...]
    required: np.ndarray


@dataclass(frozen=True)
class Constraints:
    """Constraints on a formula over data.

    Attributes:
        items: the constraints.
        names: the columns of X.
        X: (rows, columns) the data that the law was measured at.
        spread: the standard deviation of the target.
        target: its name.

    >>> X = np.linspace(1, 3, 20)[:, None]
    >>> known = Constraints.of(["y >= 0", "increasing(x0)"], ["x0"], X, spread=1.0)
    >>> [j.message for j in known.judge(Expr.parse("2.5*x0^2"))]
    ['y >= 0: proved on the box 1 <= x0 <= 3', 'increasing(x0): proved on the box 1 <= x0 <= 3']
    >>> known.admits(Expr.parse("4 - x0^2"))
    False
    """

    items: tuple[Constraint, ...]
    names: tuple[str, ...]
    X: np.ndarray
    spread: float = 1.0
    target: str = "y"

    @classmethod
    def of(cls, given: Iterable[str | Constraint], names: Sequence[str], X: np.ndarray, spread: float, target: str = "y") -> "Constraints":
        """Constraints from texts or objects.

        Raises:
            ValueError: a text that cannot be read, a column that is not there, a region the data have no end for.
        """
        given = [given] if isinstance(given, str | Constraint) else given
        return cls(tuple(parse(c, names, target) for c in given), tuple(names), np.asarray(X, float), spread, target)

    def __bool__(self) -> bool:
        return bool(self.items)

    @property
    def texts(self) -> list[str]:
        """The statements."""
        return [c.text(self.target) for c in self.items]

    # points -------------------------------------------------------------------------------------------------------------
    @cached_property
    def few(self) -> Probe:
        """Points for batches."""
        return self._probe(FEW)

    @cached_property
    def many(self) -> Probe:
        """Points for one formula."""
        return self._probe(MANY)

    @cached_property
    def _ends(self) -> dict[str, tuple[float, float]]:
        """The columns' least and greatest values."""
        low, high = self.X.min(axis=0), self.X.max(axis=0)
        return {n: (float(a), float(b)) for n, a, b in zip(self.names, low, high, strict=True)}

    def box(self, constraint: Constraint) -> dict[str, tuple[float, float]]:
        """The box on which a constraint is judged: the data's, but for the region given."""
        box = dict(self._ends)
        for name, r in constraint.region.items():
            least, most = box[name]
            box[name] = (r.low if r.low > -math.inf else min(least, r.high)), (r.high if r.high < math.inf else max(most, r.low))
        return box

    def _probe(self, n: int) -> Probe:
        rng = np.random.default_rng(0)
        parts = [self._points(c, n if c.kind == "range" else n // 4, rng) for c in self.items]
        X = np.concatenate([x.reshape(-1, len(self.names)) for x, _ in parts])
        return Probe(X, tuple(x.shape[:2] for x, _ in parts), np.concatenate([r.ravel() for _, r in parts]))

    def _points(self, constraint: Constraint, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(n, points of a line, columns) points, and (n, points of a line) where a formula must be defined.

        Half of them are rows of the data, moved into the region; the others lie anywhere in the box. Ends come first.
        """
        box = self.box(constraint)
        low, high = np.array([box[name] for name in self.names]).T
        ends = [constraint.region.get(name, Interval()) for name in self.names]
        ends = np.array([[r.open_low for r in ends], [r.open_high for r in ends]])
        u = rng.random((n, len(self.names)))
        corner = (np.arange(n) % (n // 2) < n // 8)[:, None] & ~np.where(u < 0.5, *ends)
        X = low + (high - low) * np.where(corner, np.round(u), u)
        rows = np.arange(n) >= n // 2
        given = np.array([name in constraint.region for name in self.names])
        X[rows] = np.where(given, X[rows], self.X[rng.integers(len(self.X), size=rows.sum())])
        required = rows & bool(constraint.region)
        if constraint.kind == "range":
            return X[:, None], required[:, None]
        j = self.names.index(constraint.variable)
        if constraint.kind in ("even", "odd"):
            mirrored = X.copy()
            mirrored[:, j] = -X[:, j]
            return np.stack([X, mirrored], axis=1), np.repeat(required[:, None], 2, axis=1)
        ends = np.sort(rng.random((n, 2)), axis=1)
        ends[::2] = 0.0, 1.0  # every other line from end to end
        at = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * np.linspace(0, 1, LINE)
        X = np.repeat(X[:, None], LINE, axis=1)
        X[:, :, j] = low[j] + (high[j] - low[j]) * at
        return X, np.repeat(required[:, None], LINE, axis=1)

    # judgement ----------------------------------------------------------------------------------------------------------
    def comply(self, values: np.ndarray, probe: Probe) -> np.ndarray:
        """(items, P) whether formulas comply on the points, from their values (P, M) there."""
        out, start = [], 0
        for constraint, (n, k) in zip(self.items, probe.shapes, strict=True):
            part = values[:, start : start + n * k].reshape(-1, n, k)
            defined = np.isfinite(part)
            good = (defined | ~probe.required[start : start + n * k].reshape(n, k)).all(axis=(1, 2))
            with np.errstate(all="ignore"):
                out.append(good & ~self._broken(constraint, np.where(defined, part, np.nan)))
            start += n * k
        return np.array(out)

    def _broken(self, constraint: Constraint, v: np.ndarray) -> np.ndarray:
        """(P,) whether values (P, lines, points of a line) break a constraint where they are defined (not NaN)."""
        size = np.nan_to_num(np.nanmax(np.abs(np.where(np.isnan(v), 0.0, v)), axis=(1, 2), keepdims=True))
        slack = ROUNDING * size
        match constraint.kind:
            case "range":
                within = self._admissible(constraint)
                below = v <= within.low if within.open_low else v < within.low - slack
                above = v >= within.high if within.open_high else v > within.high + slack
                broken = below | above
            case "increasing":
                broken = np.diff(v, axis=2) < -slack
            case "decreasing":
                broken = np.diff(v, axis=2) > slack
            case "convex":
                broken = np.diff(v, 2, axis=2) < -slack
            case "concave":
                broken = np.diff(v, 2, axis=2) > slack
            case _:
                sign = 1 if constraint.kind == "even" else -1
                one, other = v[:, :, 0], sign * v[:, :, 1]
                broken = ((np.abs(one - other) > slack[:, :, 0]) | (np.isnan(one) != np.isnan(other)))[:, :, None]
        return broken.any(axis=(1, 2))

    def _admissible(self, constraint: Constraint) -> Interval:
        """The target of a range; around a boundary value with its tolerance."""
        within = constraint.target
        if within.low != within.high:
            return within
        tolerance = EXACTLY * max(abs(within.low), self.spread) if constraint.tolerance is None else constraint.tolerance
        return Interval(within.low - tolerance, within.high + tolerance)

    def judge(self, expr: Expr) -> list[Judgement]:
        """What is known of one formula, constraint by constraint."""
        values = expr(dict(zip(self.names, self.many.X.T, strict=True)))[None]
        complies = self.comply(values, self.many)[:, 0]
        return [self._judged(c, expr, bool(good), n * k)
                for c, good, (n, k) in zip(self.items, complies, self.many.shapes, strict=True)]

    def admits(self, expr: Expr) -> bool:
        """Whether no constraint is known to be violated."""
        return all(j.status is not Status.VIOLATED for j in self.judge(expr))

    def _judged(self, constraint: Constraint, expr: Expr, complies: bool, points: int) -> Judgement:
        text = constraint.text(self.target)
        if not complies:
            return Judgement(constraint, Status.VIOLATED, points, f"{text}: violated")
        full = self.box(constraint)
        box = {name: full[name] for name in dict.fromkeys([*expr.variables, *constraint.columns])}
        verdict = prove(constraint, self._admissible(constraint), expr, full)
        if verdict is None:
            return Judgement(constraint, Status.HOLDS, points, f"{text}: holds on {points} points")
        where = ", ".join(f"{a:.4g} <= {quote(n)} <= {b:.4g}" for n, (a, b) in box.items())
        word = "proved" if verdict else "violated"
        return Judgement(constraint, Status(word), points, f"{text}: {word}" + (f" on the box {where}" if where else ""))
