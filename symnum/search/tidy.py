"""Exact formulas written as short as algebra allows, given which columns are positive in the data.

A formula put together from parts (divided out, inverted, composed) is right but roundabout: sqrt(m^2*(1 + p^2)) is
m*sqrt(1 + p^2) where m > 0. Several of sympy's normal forms are tried; the shortest that keeps its values is taken.
"""

import numpy as np

from symnum.language.expr import Expr

LONGEST = 80  # tokens beyond which algebra takes too long
ASSUMING = 2  # tokens that a form must save if it holds only where columns are positive
MOST_SIMPLIFIED = 40  # operations up to which sympy's own simplification is quick
CLOSE = 1e-9  # relative difference of values that rounding leaves


def tidied(expr: Expr, data: dict[str, np.ndarray]) -> Expr:
    """The shortest form found of a formula, or `expr` itself; free constants may be joined.

    Args:
        expr: the formula.
        data: columns by name; those that are positive throughout may leave a square root.

    >>> str(tidied(Expr.parse("sqrt(m^2*(p/q + 1)*q)"), dict(m=np.array([1.0, 2.0]), p=np.array([1.0, 3.0]), q=np.array([2.0, 5.0]))))
    'm*sqrt(p + q)'
    """
    if not 6 <= len(expr.tokens) <= LONGEST or any(getattr(t, "function", None) for t in expr.tokens):
        return expr  # nothing to gain, no end of it, or an operator of the user's that algebra would open
    import sympy as sp

    named, constants = _constants_named(expr, data)
    columns = {name: np.asarray(data[name], float) for name in expr.variables} | {n: np.full(1, c) for n, c in constants.items()}
    plain = {name: sp.Symbol(name, real=True) for name in columns}
    with np.errstate(all="ignore"):
        values = np.asarray(expr(data), float)
    best, least = expr, _weight(expr)
    for assumed in (False, True):
        known = {n: sp.Symbol(n, positive=True) if assumed and (c > 0).all() else plain[n] for n, c in columns.items()}
        start = named.sympy()
        start = start.xreplace({s: known[s.name] for s in start.free_symbols})
        back = {known[n]: plain[n] for n in known}
        for form in _forms(start):
            try:
                resolved = _signs_resolved(form, columns).xreplace(back)
            except (ValueError, KeyError):  # a function that is no operator of the table
                continue
            for spelled in (resolved, sp.powsimp(resolved, force=True)):  # roots joined: both exist wherever the formula does
                try:
                    candidate = Expr.from_sympy(spelled).substitute(constants)
                except (ValueError, KeyError):  # a function that is no operator of the table
                    continue
                candidate = candidate.simplify() if constants else candidate
                weight = _weight(candidate) + ASSUMING * assumed
                with np.errstate(all="ignore"):
                    new = np.asarray(candidate(data), float)
                if weight < least and np.allclose(new, values, rtol=CLOSE, atol=CLOSE * np.abs(values).max(initial=0)):
                    best, least = candidate, weight
    return best


def _constants_named(expr: Expr, data) -> tuple[Expr, dict[str, float]]:
    """The formula with a name for each free constant, which algebra keeps exact."""
    constants: dict[str, float] = {}
    tokens = []
    for token in expr.tokens:
        if isinstance(token, float):
            name = f"c{len(constants)}"
            while name in data:
                name += "_"
            constants[name] = token
            tokens.append(name)
        else:
            tokens.append(token)
    return Expr(tuple(tokens)), constants


def _signs_resolved(form, columns: dict[str, np.ndarray]):
    """|a| is a or -a where a has one sign in the data: sqrt((a - b)^2) came from a - b."""
    import sympy as sp

    for inner in sorted(form.atoms(sp.Abs), key=sp.count_ops):
        inside = inner.args[0]
        symbols = sorted(inside.free_symbols, key=str)
        with np.errstate(all="ignore"):
            values = np.asarray(Expr.from_sympy(inside)({s.name: columns[s.name] for s in symbols}), float)
        if (values >= 0).all():
            form = form.xreplace({inner: inside})
        elif (values <= 0).all():
            form = form.xreplace({inner: -inside})
    return form


def _forms(start):
    import sympy as sp

    together = sp.together(start)
    yield start
    half = sp.Rational(1, 2)
    yield start.replace(lambda e: e.is_Pow and e.exp == half and e.base.is_Pow and e.base.exp == 2, lambda e: sp.Abs(e.base.base))
    yield sp.powdenest(start)
    yield sp.factor_terms(together)
    factored = sp.factor(together)
    yield factored
    yield sp.powsimp(sp.powdenest(factored))
    yield sp.cancel(together)
    if sp.count_ops(start) <= MOST_SIMPLIFIED:
        yield sp.simplify(start)
    inner = {root: sp.factor(sp.expand(root.base)) ** root.exp for root in start.atoms(sp.Pow) if not root.exp.is_integer}
    if inner:
        opened = sp.powdenest(sp.together(start.xreplace(inner)))
        yield opened
        yield sp.factor_terms(sp.powsimp(opened))


def _weight(expr: Expr) -> int:
    """Tokens, an exact exponent not counted: x^2 is as short as square(x)."""
    exponents = sum(isinstance(a, int) and getattr(b, "name", "") == "power" for a, b in zip(expr.tokens, expr.tokens[1:], strict=False))
    return len(expr.tokens) - exponents
