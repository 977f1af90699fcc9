"""How a front and a discovery read: plain text, and HTML with MathML for notebooks.

Both take a finished discovery by its public attributes and know nothing of how it came about.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from html import escape
from typing import Any

import numpy as np

from symnum.callbacks import abbreviate, equation
from symnum.language.expr import Expr
from symnum.search.front import Candidate, Front

STYLE = "font-variant-numeric: tabular-nums; text-align: right; padding: 0 1em 0 0"


def table(front: Front, names: Sequence[str]) -> "Any":
    """The front as a pandas DataFrame: complexity, loss, score, equation, sympy_format, lambda_format.

    `lambda_format` maps an array (rows, features) whose columns are `names`, or a mapping of columns, to predictions.
    """
    import pandas as pd

    columns = ["complexity", "loss", "score", "equation", "sympy_format", "lambda_format"]
    names = tuple(names)
    rows = [
        (c.complexity, c.loss, score, str(c.best), _sympy(c), partial(predicted, c.best, names))
        for c, score in zip(front, front.scores, strict=True)
    ]
    return pd.DataFrame(rows, columns=columns)


def predicted(expr: Expr, names: tuple[str, ...], X) -> np.ndarray:
    """The formula's values (rows,) on an array (rows, features) whose columns are `names`, or on columns by name.

    >>> predicted(Expr.parse("`a b`*2"), ("other", "a b"), [[0, 1.5], [0, 2.5]])
    array([3., 5.])
    """
    by_name = X if isinstance(X, Mapping) or hasattr(X, "columns") else dict(zip(names, np.asarray(X, float).T, strict=True))
    return expr(by_name)


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
    if discovery.exhausted_complexity:
        out.append(f"searched: every function of the grammar up to complexity {discovery.exhausted_complexity}")
    out.append(
        f"speed: {abbreviate(s['expressions'])} expressions in {s['seconds']:.1f} s, {abbreviate(s['expressions_per_second'])}/s, "
        f"{abbreviate(s['node_rows_per_second'])} node·rows/s on {s['threads']} thread(s)"
    )
    return out


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
