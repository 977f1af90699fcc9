"""How a front and a discovery read: plain text, and HTML with MathML for notebooks.

Both take a finished discovery by its public attributes and know nothing of how it came about.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np

from symnum.callbacks import abbreviate, equation
from symnum.language.expr import Expr
from symnum.problem import dimension
from symnum.problem.categories import coded, indicators
from symnum.problem.regression import RegressionProblem
from symnum.problem.uncertainty import Interval
from symnum.search.front import Candidate, Front

STYLE = "font-variant-numeric: tabular-nums; text-align: right; padding: 0 1em 0 0"


def table(front: Front, names: Sequence[str], labels: Mapping[str, Sequence[str]] | None = None) -> "Any":
    """The front as a pandas DataFrame: complexity, loss, score, equation, sympy_format, lambda_format.

    `lambda_format` maps an array (rows, features) whose columns are `names`, or a mapping of columns, to predictions; `labels`
    are the categories of those columns that have some.
    """
    import pandas as pd

    columns = ["complexity", "loss", "score", "equation", "sympy_format", "lambda_format"]
    names = tuple(names)
    rows = [
        (c.complexity, c.loss, score, str(c.best), _sympy(c), partial(predicted, c.best, names, labels=labels))
        for c, score in zip(front, front.scores, strict=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def predicted(expr: Expr, names: tuple[str, ...], X, labels: Mapping[str, Sequence[str]] | None = None) -> np.ndarray:
    """The formula's values (rows,) on an array (rows, features) whose columns are `names`, or on columns by name.

    Categorical columns (column -> categories in `labels`) hold their categories, as in `fit`.

    >>> predicted(Expr.parse("`a b`*2"), ("other", "a b"), [[0, 1.5], [0, 2.5]])
    array([3., 5.])
    >>> predicted(Expr.parse("2*`site=b`"), ("site",), {"site": ["a", "b"]}, {"site": ("a", "b")})
    array([0., 2.])
    """
    by_name = isinstance(X, Mapping) or hasattr(X, "columns")
    if not labels:
        return expr(X if by_name else dict(zip(names, np.asarray(X, float).T, strict=True)))
    import pandas as pd

    frame, _ = coded(pd.DataFrame(X, columns=None if by_name else names), labels, labels)
    columns = {name: frame[name] for name in frame.columns}
    for column, categories in labels.items():
        columns |= indicators(np.asarray(columns[column], float), column, categories)
    return expr(columns | {name: np.asarray(columns[name], float) for name in expr.variables})


def _sympy(candidate: Candidate):
    """The sympy form, or None where sympy cannot hold the value (an infinite constant)."""
    try:
        return candidate.best.sympy()
    except ValueError:
        return None


def to_text(discovery) -> str:
    """The front with the choice marked, the verdict and what was searched."""
    lines = ["     complexity         loss    score  equation"]
    for i, (c, score) in enumerate(zip(discovery.front, discovery.front.scores, strict=True)):
        mark = ">>>>" if i == discovery.chosen else "    "
        lines.append(f"{mark} {c.complexity:>10}  {c.loss:>11.5g}  {score:>7.3g}  {equation(discovery.target, c, digits=6)}")
    lines.append("")
    lines += summary(discovery)
    return "\n".join(lines)


def summary(discovery) -> list[str]:
    """Status, verdict and statistics as lines of text."""
    s = discovery.statistics
    out = [f"status: {discovery.status.value}"]
    if discovery.verdict is not None:
        out.append(f"verdict: {discovery.verdict.message}")
    out += known(discovery)
    if discovery.exhausted_complexity:
        kind = "dimensionally consistent " if getattr(discovery.problem, "typing", None) is not None else ""
        out.append(f"searched: every {kind}function of the grammar up to complexity {discovery.exhausted_complexity}")
    out += [*intervals(discovery), *units(discovery)]
    out.append(
        f"speed: {abbreviate(s['expressions'])} expressions in {s['seconds']:.1f} s, {abbreviate(s['expressions_per_second'])}/s, "
        f"{abbreviate(s['node_rows_per_second'])} node·rows/s on {s['threads']} thread(s)"
    )
    return out


def known(discovery) -> list[str]:
    """What became of what the user knew: the constraints, and the parts of the template."""
    out = [f"constraint: {j.message}" for j in discovery.judgements]
    if discovery.template is not None and discovery.chosen is not None:
        out += discovery.template.lines(discovery.best.expr)
    return out


def intervals(discovery, method: str = "wald", level: float = 0.95) -> list[str]:
    """The chosen formula's fitted constants with their intervals, in the order in which it shows them; method `none`: nothing."""
    if method == "none" or discovery.chosen is None or not isinstance(discovery.problem, RegressionProblem):
        return []
    found = discovery.intervals(level=level, method=method)
    return [f"constants ({100 * level:.10g} %): {', '.join(_interval(i) for i in found)}"] if found else []


def _interval(i: Interval) -> str:
    """The value and its ends, to two digits of the standard error.

    >>> _interval(Interval(0, 2.50042, 2.49731, 2.50353, 0.00156, 0.95)), _interval(Interval(0, 1.5, -np.inf, np.inf, np.inf, 0.95))
    ('2.5004 [2.4973, 2.5035]', '1.5 [not determined]')
    """
    if not math.isfinite(i.std):
        return f"{i.value:.6g} [not determined]"
    room = math.floor(math.log10(abs(i.value))) - math.floor(math.log10(i.std)) if i.value and i.std else 0
    digits = max(2, min(15, 2 + room))
    return f"{i.value:.{digits}g} [{i.low:.{digits}g}, {i.high:.{digits}g}]"


def units(discovery) -> list[str]:
    """What the units did to the search, and the units of the chosen formula's constants where they may have any."""
    problem = discovery.problem
    if getattr(problem, "typing", None) is None:
        return []
    if not problem.typing.free:
        return ["dimensions: every formula is consistent, its constants are pure numbers"]
    why = dimension.why_free(problem.table)
    lines = [f"dimensions: every formula is consistent, its constants may carry units{why and f' ({why})' or ''}"]
    if discovery.chosen is not None and (found := constants(discovery)):
        lines.append("constants: " + ", ".join(f"{value:.6g} [{unit}]" for value, unit in found))
    return lines


def constants(discovery) -> list[tuple[float, str]]:
    """The chosen formula's constants with their units; none without units, or where the formula is consistent without them."""
    problem, best = discovery.problem, discovery.best
    if getattr(problem, "typing", None) is None or not problem.typing.free:
        return []
    for form in (best.best, best.reading, best.expr):  # an exact number in the place of a constant has lost its unit
        found = None if form is None else dimension.constant_units(form, problem.names, problem.dims, problem.target_dim)
        if found is not None:
            return list(zip(form.constants, found, strict=True))
    return []


def to_html(discovery) -> str:
    """A self-contained HTML table; formulas as MathML, the chosen row marked."""
    rows = []
    for i, (c, score) in enumerate(zip(discovery.front, discovery.front.scores, strict=True)):
        weight = "font-weight: bold" if i == discovery.chosen else ""
        cells = "".join(f'<td style="{STYLE}">{v}</td>' for v in (c.complexity, f"{c.loss:.4g}", f"{score:.3g}"))
        formula = f'<td style="text-align: left" title="{escape(str(c.best))}">{_mathml(discovery.target, c)}</td>'
        rows.append(f'<tr style="{weight}">{cells}{formula}</tr>')
    head = "".join(f'<th style="{STYLE}">{name}</th>' for name in ("complexity", "loss", "score")) + "<th>equation</th>"
    foot = "<br>".join(escape(line) for line in summary(discovery))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table><p>{foot}</p>"


def _mathml(target: str, candidate: Candidate) -> str:
    """target = formula in presentation MathML; plain text where sympy cannot hold the formula."""
    expression = _sympy(candidate)
    if expression is None:
        return escape(equation(target, candidate))
    from sympy import Eq, Float, Symbol, mathml

    safe = {s: Symbol(escape(s.name), real=True) for s in expression.free_symbols}  # sympy writes names as they are
    short = expression.xreplace({f: Float(f, 5) for f in expression.atoms(Float)} | safe)
    return f"<math>{mathml(Eq(Symbol(escape(target)), short, evaluate=False), printer='presentation')}</math>"
