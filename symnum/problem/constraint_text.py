"""Text -> `Constraint`: a few forms, each split at its relations and commas; the forms are listed in `symnum.problem.constraint`."""

import math
import re
from collections.abc import Sequence

from symnum.language.expr import Expr
from symnum.language.ops import Interval
from symnum.language.parse import ParseError
from symnum.problem.constraint import SHAPES, Constraint

FORMS = "'y >= 0', '0 <= y <= 1', 'increasing(x0)', 'convex(x0) for 0 <= x0 <= 10', 'f(x0=0) = 1 ± 0.01', 'even(x0)'"
_TOKEN = re.compile(r"\s*(`(?:\\.|[^`\\])*`|<=|>=|==|±|[<>=(),]|\+-(?=\s)|[^\s<>=(),`±]+)")
_RELATIONS = ("<=", ">=", "<", ">", "=", "==")
_TURNED = {">=": "<=", ">": "<", "==": "="}


def read(text: str, names: tuple[str, ...], target: str) -> Constraint:
    """Read one constraint; see `symnum.problem.constraint.parse`."""
    if not isinstance(text, str):
        msg = f"a constraint must be a text such as {FORMS}, or a Constraint, got {text!r}"
        raise ValueError(msg)
    return _Reader(text, names, target).constraint()


class _Reader:
    def __init__(self, text: str, names: tuple[str, ...], target: str):
        self.text, self.names = text, names
        self.targets = {target, *({"y", "f"} - set(names))}

    def fail(self, problem: str):
        msg = f"the constraint {self.text!r} cannot be read: {problem}; forms are {FORMS}"
        raise ValueError(msg) from None

    def constraint(self) -> Constraint:
        tokens = _TOKEN.findall(self.text)
        if "".join(tokens) != re.sub(r"\s+(?=(?:[^`]*`[^`]*`)*[^`]*$)", "", self.text):
            self.fail("a backquote is not closed")
        if "for" in tokens:
            at = tokens.index("for")
            tokens, region = tokens[:at], self.region(tokens[at + 1 :])
        else:
            region = {}
        if not tokens:
            self.fail("nothing is said")
        if len(tokens) > 1 and tokens[1] == "(" and tokens[0] in SHAPES:
            if len(tokens) != 4 or tokens[3] != ")":
                self.fail(f"{tokens[0]} takes one column, as in {tokens[0]}({self.names[0] if self.names else 'x0'})")
            return Constraint(tokens[0], _unquoted(tokens[2]), region=region)
        if len(tokens) > 1 and tokens[1] == "(" and _unquoted(tokens[0]) in self.targets and ")" in tokens:
            end = tokens.index(")")
            region = self.region(tokens[2:end]) | region
            tokens = [tokens[0], *tokens[end + 1 :]]
        return self.range(tokens, region)

    def range(self, tokens: list[str], region: dict) -> Constraint:
        tolerance = None
        for mark in ("±", "+-"):
            if mark in tokens:
                at = tokens.index(mark)
                tokens, tolerance = tokens[:at], self.number(tokens[at + 1 :])
        name, within = self.interval(tokens)
        if name not in self.targets:
            self.fail(f"the statement must be about the target ({' or '.join(sorted(self.targets))}), not about {name!r}; "
                      f"shapes are {', '.join(SHAPES)}, and regions come after 'for'")
        if tolerance is not None and (within.low != within.high or not 0 <= tolerance < math.inf):
            self.fail("a tolerance >= 0 goes with one value, as in y = 1 ± 0.01")
        return Constraint("range", "", within, region, tolerance)

    def region(self, tokens: list[str]) -> dict[str, Interval]:
        """`0 <= x0 <= 10, x1 = 2` as column -> interval."""
        region: dict[str, Interval] = {}
        for part in _split(tokens, (",",))[0]:
            name, within = self.interval(part)
            region[name] = _common(region.get(name, Interval()), within)
            if name in self.targets - set(self.names):
                self.fail(f"a region is of columns, not of {name!r}")
            if region[name].low > region[name].high:
                self.fail(f"the region of {name} is empty")
        return region

    def interval(self, tokens: list[str]) -> tuple[str, Interval]:
        """A comparison of one name with one or two numbers."""
        parts, relations = _split(tokens, _RELATIONS)
        if not 2 <= len(parts) <= 3 or not all(parts):
            self.fail(f"a comparison with one or two numbers was expected, found {' '.join(tokens)!r}")
        if relations[0].startswith(">"):  # turned, so that the least comes first
            parts.reverse()
            relations.reverse()
        relations = [_TURNED.get(r, r) for r in relations] if relations[0].startswith((">", "=")) else relations
        if any(r.startswith(">") for r in relations) or (len(parts) == 3 and "=" in relations):
            self.fail("two comparisons must go one way, as in 0 <= y <= 1")
        at = [i for i, part in enumerate(parts) if len(part) == 1 and self.is_name(part[0])]
        if len(at) != 1 or (len(parts) == 3 and at != [1]):
            self.fail(f"one name between numbers was expected, found {' '.join(tokens)!r}; the names are "
                      f"{', '.join([*sorted(self.targets), *self.names[:8]])}")
        name = _unquoted(parts[at[0]][0])
        values = [None if i == at[0] else self.number(part) for i, part in enumerate(parts)]
        if relations == ["="]:
            value = next(v for v in values if v is not None)
            return name, Interval(value, value)
        low = values[at[0] - 1] if at[0] > 0 else None
        high = values[at[0] + 1] if at[0] + 1 < len(values) else None
        if low is not None and high is not None and low > high:
            self.fail(f"{low:g} is above {high:g}")
        return name, Interval(
            -math.inf if low is None else low,
            math.inf if high is None else high,
            open_low=low is not None and relations[0] == "<",
            open_high=high is not None and relations[-1] == "<",
        )

    def is_name(self, token: str) -> bool:
        return token.startswith("`") or token in self.targets or token in self.names or (token.isidentifier() and not _is_number(token))

    def number(self, tokens: Sequence[str]) -> float:
        text = " ".join(tokens)
        try:
            expr = Expr.parse(text)
        except ParseError:
            self.fail(f"a number was expected, found {text!r}")
        if expr.variables:
            self.fail(f"a number was expected, found {text!r}")
        value = float(expr()[0])
        if math.isnan(value):
            self.fail(f"a number was expected, found {text!r}, which is none")
        return value


def _common(a: Interval, b: Interval) -> Interval:
    """What lies in both."""
    lower, upper = max(a, b, key=lambda i: (i.low, i.open_low)), min(a, b, key=lambda i: (i.high, not i.open_high))
    return Interval(lower.low, upper.high, lower.open_low, upper.open_high)


def _is_number(token: str) -> bool:
    return not Expr.parse(token).variables


def _unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL) if token.startswith("`") else token


def _split(tokens: Sequence[str], at: tuple[str, ...]) -> tuple[list[list[str]], list[str]]:
    """The parts between separators that stand outside parentheses, and those separators."""
    parts: list[list[str]] = [[]]
    found, depth = [], 0
    for token in tokens:
        depth += (token == "(") - (token == ")")
        if token in at and depth == 0:
            parts.append([])
            found.append(token)
        else:
            parts[-1].append(token)
    return parts, found
