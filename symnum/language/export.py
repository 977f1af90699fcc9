"""Expressions in other languages: sympy (both ways), LaTeX, networkx, C.

Each target is one fold over the spellings of the operator table; what an operator lacks there is a clear error.
"""

import math
import re

from symnum.language.expr import Expr, operator_functions
from symnum.language.ops import OPS, Op

_sympy = operator_functions("sympy")


# sympy ------------------------------------------------------------------------------------------------------------------
def to_sympy(expr: Expr):
    """The sympy expression: real symbols named as the variables, exact integers, 17-digit floats.

    Raises:
        ValueError: sympy refuses a part, such as Max of a complex infinity (1/0).

    >>> to_sympy(Expr.parse("sqrt(x^2) + 1/3"))
    Abs(x) + 1/3
    """
    import sympy as sp

    def leaf(token):
        if isinstance(token, str):
            return sp.Symbol(token, real=True)
        if isinstance(token, Op):
            return _sympy(token)()
        if isinstance(token, int):
            return sp.Integer(token)
        return sp.Float(token, 17) if math.isfinite(token) else sp.sympify(token)

    def branch(op, arguments):
        try:
            return _sympy(op)(*arguments)
        except (TypeError, ValueError) as error:
            msg = f"an expression that sympy can hold was required, got {op.name} of {', '.join(map(str, arguments))} ({error})"
            raise ValueError(msg) from error

    return expr.fold(leaf, branch)


def from_sympy(expression) -> Expr:
    """The expression of a sympy expression (or of what `sympy.sympify` takes).

    Raises:
        ValueError: a function or object that the operator table has no counterpart of.

    >>> str(from_sympy("sec(x)**2 - x/(2*y)"))
    '(1/cos(x))^2 - x/(2*y)'
    """
    import sympy as sp

    return _Reader(sp).read(sp.sympify(expression))


class _Reader:
    """sympy -> Expr; one method per kind of node."""

    # by identity: the texts are over a (and b)
    IDENTITIES = {
        "cot": "1/tan(a)", "sec": "1/cos(a)", "csc": "1/sin(a)", "coth": "1/tanh(a)", "sech": "1/cosh(a)", "csch": "1/sinh(a)",
        "acot": "atan(1/a)", "asec": "acos(1/a)", "acsc": "asin(1/a)", "asinh": "log(a + sqrt(a^2 + 1))", "erfc": "1 - erf(a)",
        "acosh": "log(a + sqrt(a - 1)*sqrt(a + 1))", "atanh": "log((1 + a)/(1 - a))/2", "factorial": "gamma(a + 1)",
        "sinc": "sin(a)/a", "Heaviside": "(1 + sign(a))/2",
    }

    def __init__(self, sp):
        self.sp = sp
        numbers = {sp.oo: math.inf, -sp.oo: -math.inf, sp.nan: math.nan, sp.zoo: math.nan}
        self.constants = {sp.pi: Expr((OPS["pi"],)), sp.E: Expr((OPS["e"],))} | {k: Expr.const(v) for k, v in numbers.items()}

    def read(self, node) -> Expr:
        if node in self.constants:
            return self.constants[node]
        if node.is_Symbol:
            return Expr.var(node.name)
        if node.is_Integer:
            return Expr.const(int(node))
        if node.is_Rational:
            return Expr.const(int(node.p)) / Expr.const(int(node.q))
        if node.is_Float:
            return Expr.const(float(node))
        for kind in ("Add", "Mul", "Pow"):
            if getattr(node, f"is_{kind}"):
                return getattr(self, kind.lower())(node)
        return self.function(node)

    def add(self, node) -> Expr:
        total = None
        for term in sorted(node.as_ordered_terms(), key=lambda t: t.could_extract_minus_sign()):
            negative = total is not None and term.could_extract_minus_sign()
            part = self.read(-term if negative else term)
            total = part if total is None else total - part if negative else total + part
        return total

    def mul(self, node) -> Expr:
        above, below = [], []
        for factor in node.as_ordered_factors():
            base, power = factor.as_base_exp()
            if factor.is_Rational and not factor.is_Integer:
                above += [self.sp.Integer(factor.p)] if factor.p != 1 else []
                below.append(self.sp.Integer(factor.q))
            elif power.is_Rational and power.is_negative and base != self.sp.E:
                below.append(base**-power)
            else:
                above.append(factor)
        negative = bool(above) and above[0] == -1 and len(above) > 1
        parts = [self.read(f) for f in above[negative:]] or [Expr.const(1)]
        parts[0] = -parts[0] if negative else parts[0]
        top = _product(parts)
        return top / _product([self.read(f) for f in below]) if below else top

    def pow(self, node) -> Expr:
        base, power = node.args
        if base == self.sp.E:
            return Expr.apply("exp", self.read(power))
        inner = self.read(base)
        if power == self.sp.Rational(1, 2):
            return Expr.apply("sqrt", inner)
        if power == self.sp.Rational(1, 3) and base.is_nonnegative:
            return Expr.apply("cbrt", inner)
        if power.is_Rational and power.is_negative:
            return Expr.const(1) / self.read(base**-power)
        return inner ** self.read(power)

    def function(self, node) -> Expr:
        name = getattr(node.func, "__name__", str(node.func))
        known = isinstance(node, self.sp.Function | self.sp.Max | self.sp.Min)
        arguments = [self.read(a) for a in node.args] if known else []
        if name == "Heaviside" and arguments[1:] == [Expr.parse("1/2")]:
            arguments = arguments[:1]
        if name in self.IDENTITIES and len(arguments) == 1:
            return Expr.parse(self.IDENTITIES[name]).substitute({"a": arguments[0]})
        op = OPS.get({"Abs": "abs", "Max": "max", "Min": "min", "loggamma": "lgamma"}.get(name, name))
        if op is None or not arguments or (op.arity != len(arguments) and name not in ("Max", "Min")):
            msg = (f"functions of the operator table were required, got {name} in {node}; supported are {', '.join(OPS)} and by "
                   f"identity {', '.join(self.IDENTITIES)}; try Op.from_function({name!r}, …) or sympy's rewrite")
            raise ValueError(msg)
        if op.arity == 2 and len(arguments) != 2:
            total = arguments[0]
            for argument in arguments[1:]:
                total = Expr.apply(op, total, argument)
            return total
        return Expr.apply(op, *arguments)


def _product(parts: list[Expr]) -> Expr:
    total = parts[0]
    for part in parts[1:]:
        total = total * part
    return total


# LaTeX ------------------------------------------------------------------------------------------------------------------
GREEK = frozenset("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
                  "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split())
_ESCAPES = {c: "\\" + c for c in "_$%&#{}"} | {"\\": r"\backslash{}", "^": r"\hat{}", "~": r"\sim{}"}
_SUM, _SIGN, _PRODUCT, _POWER, _ATOM = 1, 1.5, 2, 3, 4  # binding strength of a text
_LEVELS = {"add": _SUM, "sub": _SUM, "neg": _SIGN, "mul": _PRODUCT, "power": _POWER, "square": _POWER, "cube": _POWER,
           "exp": _POWER, "div": _PRODUCT + 0.5, "inv": _PRODUCT + 0.5}


def to_latex(expr: Expr, precision: int = 4) -> str:
    r"""LaTeX with floats at `precision` significant digits and no needless parentheses.

    >>> print(to_latex(Expr.parse("-2.5*x0^2 + sqrt(alpha)/(mass + 12345.678)")))
    -2.5 x_{0}^{2} + \frac{\sqrt{\alpha}}{\mathrm{mass} + 1.235 \cdot 10^{4}}
    """
    def leaf(token):
        if isinstance(token, str):
            return latex_name(token), _ATOM
        if isinstance(token, Op):
            return token.latex, _ATOM
        return _latex_number(token, precision)

    return expr.fold(leaf, _latex_branch)[0]


def _latex_branch(op: Op, arguments: list[tuple[str, float]]) -> tuple[str, float]:
    name, level = op.name, _LEVELS.get(op.name, _ATOM)
    if not op.latex:
        msg = f"operators with a LaTeX form are required, got {name!r}; give Op.from_function its latex= or sympy= text"
        raise ValueError(msg)
    weakest = {"add": (_SUM, _SUM), "sub": (_SUM, _PRODUCT), "mul": (_SIGN, _PRODUCT), "neg": (_PRODUCT,), "power": (_ATOM, 0),
               "square": (_ATOM,), "cube": (_ATOM,)}.get(name, (0, 0))  # what may stand there without parentheses
    texts = []
    for i, ((text, strength), least) in enumerate(zip(arguments, weakest, strict=False)):
        inner_sign = least and (i or name == "neg") and text.startswith("-")  # a + (-b)
        texts.append(text if strength >= least and not inner_sign else _parenthesised(text))
    number = re.fullmatch(r"-?[\d.]+", texts[0])
    if name == "mul" and number and texts[1][0] not in "0123456789" and not texts[1].startswith(r"\frac"):
        return " ".join(texts), level  # 2 x
    return op.latex.format(**dict(zip("ab", texts, strict=False))), level


def _parenthesised(text: str) -> str:
    return rf"\left({text}\right)"


def _latex_number(number: float, precision: int) -> tuple[str, int]:
    if isinstance(number, int):
        return str(number), _SIGN if number < 0 else _ATOM
    if not math.isfinite(number):
        return (r"\mathrm{NaN}", _ATOM) if math.isnan(number) else (r"\infty", _ATOM) if number > 0 else (r"-\infty", _SIGN)
    mantissa, _, exponent = f"{number:.{precision - 1}e}".partition("e")
    power = int(exponent)
    if -4 <= power < max(precision, 4):
        text, level = f"{float(f'{number:.{precision}g}'):.{max(precision - 1 - power, 0)}f}", _ATOM
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        times = "" if mantissa == "1" else "-" if mantissa == "-1" else rf"{mantissa} \cdot "
        text, level = f"{times}10^{{{power}}}", _PRODUCT if times else _POWER
    return text, _SIGN if number < 0 else level


def latex_name(name: str) -> str:
    r"""A variable name in LaTeX.

    >>> [latex_name(n) for n in ("x", "x0", "alpha_1", "mass", "v_max", "my col")]
    ['x', 'x_{0}', '\\alpha_{1}', '\\mathrm{mass}', 'v_{\\mathrm{max}}', '\\mathrm{my\\ col}']
    """
    split = re.fullmatch(r"([A-Za-z]+)_?(\d+)|([A-Za-z]+)_([A-Za-z0-9]+)", name)
    if split:
        base, index = (split[1], split[2]) if split[1] else (split[3], split[4])
        return f"{_word(base)}_{{{index if index.isdigit() else _word(index)}}}"
    return _word(name)


def _word(word: str) -> str:
    if word in GREEK:
        return "\\" + word
    escaped = "".join(_ESCAPES.get(c, c) for c in word).replace(" ", r"\ ")
    return escaped if len(word) == 1 else rf"\mathrm{{{escaped}}}"


# graph ------------------------------------------------------------------------------------------------------------------
def shared(expr: Expr) -> list[tuple]:
    """The distinct subexpressions, operands first: (token, indices of the operands).

    >>> shared(Expr.parse("sin(x)*sin(x)"))
    [('x', ()), (<sin/1>, (0,)), (<mul/2>, (1, 1))]
    """
    index: dict[tuple, int] = {}

    def number(token, operands):
        # the type keeps 2 and 2.0 apart, the text keeps 0.0 and -0.0 apart and makes NaN equal to itself
        key = (type(token), str(token) if isinstance(token, float) else token, operands)
        entries.setdefault(key, (token, operands))
        return index.setdefault(key, len(index))

    entries: dict[tuple, tuple] = {}
    expr.fold(lambda t: number(t, ()), lambda op, a: number(op, tuple(a)))
    return list(entries.values())


def to_graph(expr: Expr):
    """A networkx DiGraph, from the root to the leaves, in which equal subexpressions are one node.

    Nodes are integers, operands first (the root is the last) with attributes `label` and `token`; the attribute `position`
    of an edge is the tuple of argument positions it stands for: (0, 1) for both operands of x*x.

    >>> g = to_graph(Expr.parse("sin(x)*sin(x)"))
    >>> g.number_of_nodes(), g.edges[2, 1]["position"], g.nodes[2]["label"]
    (3, (0, 1), 'mul')
    """
    import networkx as nx

    graph = nx.DiGraph()
    for i, (token, operands) in enumerate(shared(expr)):
        graph.add_node(i, label=token.name if isinstance(token, Op) else str(token), token=token)
        for operand in dict.fromkeys(operands):
            graph.add_edge(i, operand, position=tuple(k for k, o in enumerate(operands) if o == operand))
    return graph


# C ----------------------------------------------------------------------------------------------------------------------
_C_WORDS = frozenset("auto break case char const continue default do double else enum extern float for goto if inline int long "
                     "register restrict return short signed sizeof static struct switch typedef union unsigned void volatile "
                     "while main".split())


def to_c(expr: Expr, name: str = "f") -> str:
    """A C99 function of the variables, in sorted order, as doubles; shared subexpressions are computed once.

    >>> print(to_c(Expr.parse("x*sin(x)")))
    #include <math.h>
    <BLANKLINE>
    double f(double x)
    {
        const double t1 = sin(x);
        const double t2 = x * t1;
        return t2;
    }
    <BLANKLINE>
    """
    variables = _c_names(expr.variables, name)
    lines, values = [], []
    for i, (token, operands) in enumerate(shared(expr)):
        if isinstance(token, str):
            values.append(variables[token])
        elif isinstance(token, Op):
            if not token.c:
                msg = f"operators with a C form are required, got {token.name!r}; give Op.from_function its c= or sympy= text"
                raise ValueError(msg)
            arguments = dict(zip("ab", (values[o] for o in operands), strict=False))
            text = re.sub(r"\b[ab]\b", lambda m, arguments=arguments: arguments[m[0]], token.c)
            lines.append(f"    const double t{i} = {text};\n")
            values.append(f"t{i}")
        else:
            values.append(_c_number(token))
    parameters = ", ".join(f"double {v}" for v in variables.values()) or "void"
    return f"#include <math.h>\n\ndouble {name}({parameters})\n{{\n{''.join(lines)}    return {values[-1]};\n}}\n"


def _c_number(number: float) -> str:
    try:
        value = float(number)
    except OverflowError:
        value = math.copysign(math.inf, number)
    text = "NAN" if math.isnan(value) else repr(value) if math.isfinite(value) else "INFINITY" if value > 0 else "-INFINITY"
    return f"({text})" if text.startswith("-") else text


def _c_names(variables: tuple[str, ...], function: str) -> dict[str, str]:
    """Valid, distinct C names that hide no function of math.h."""
    names: dict[str, str] = {}
    taken = {function, *_C_WORDS, *(w for op in OPS.values() for w in re.findall(r"[A-Za-z_]\w*", op.c))} - {"a", "b"}
    for variable in variables:
        name = re.sub(r"\W", "_", variable, flags=re.ASCII) or "_"
        name = name if not name[0].isdigit() else "_" + name
        while name in taken or re.fullmatch(r"t\d+", name):
            name += "_"
        taken.add(name)
        names[variable] = name
    return names
