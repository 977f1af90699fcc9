"""Writes `symnum/encode/held_out.txt`: the keys of every formula of the benchmarks that lie beside this folder.

    python experiments/encoder_corpus/make_held_out.py          write the file
    python experiments/encoder_corpus/make_held_out.py --check  fail where a key is missing from it

Every formula is read in three ways, since the corpus writes numbers in several: numbers with a decimal point are free constants;
they are exact; every number but an exponent is a free constant. What is written are keys only (`symnum.encode.skeletons.renamed_keys`).
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import sympy as sp

from symnum.encode.skeletons import batch_of, collapsed, lists, renamed_keys
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import Op

ROOT = Path(__file__).parents[2]
FILE = ROOT / "symnum" / "encode" / "held_out.txt"
SUITES = ("feynman", "srsd", "strogatz", "nguyen", "livermore")
SYSTEMS = ("odebench", "ode_extra")
FIELDS = ("u", "v", "w")  # velocities and vorticity, which some equations take as given
FUNCTIONS = {"arcsin": sp.asin, "arccos": sp.acos, "arctan": sp.atan, "ln": sp.log, "abs": sp.Abs, "pi": sp.pi, "E": sp.E}


def formulas(root: Path = ROOT) -> Iterator[tuple[str, list[str], list[str]]]:
    """(formula in sympy's syntax, names of its columns, names of its free constants) of every benchmark that is there."""
    folder = root / "experiments"
    for suite in SUITES:
        for p in json.loads((folder / "suites" / f"{suite}.json").read_text(encoding="utf-8"))["problems"]:
            for text in (p["expression"], *p.get("system", ())):
                yield text, [v["name"] for v in p["variables"]], []
    for name in SYSTEMS:
        for s in json.loads((folder / name / "systems.json").read_text(encoding="utf-8"))["systems"]:
            columns = [f"x{i}" for i in range(len(s["equations"]))]
            for text in s["equations"]:
                yield text, columns, [c for c in s["constants"] if c not in columns]
    for law in json.loads((folder / "empirical" / "laws.json").read_text(encoding="utf-8")):
        for accepted in law["accepted"]:
            yield accepted["expression"], [f"x{i}" for i in range(len(law["columns"]))], list(accepted["constants"])
    for problem in json.loads((folder / "pde" / "problems.json").read_text(encoding="utf-8")):
        for terms in problem["terms"].values():
            yield side(terms, sorted({*problem["names"], *problem["terms"], *FIELDS}, key=len, reverse=True))


def side(terms: dict[str, float], names: list[str]) -> tuple[str, list[str], list[str]]:
    """A right-hand side of a PDE: fields, derivatives and coordinates are the columns, (u^2)_x = 2*u*u_x and so on are worked out."""
    x, y = sp.symbols("x y")
    local: dict = {"x": x, "y": y, "sin": sp.sin, **{n: sp.Function(n)(x, y) for n in names}}
    derivative = re.compile(rf"({'|'.join(names)})_([xy]+)(?!\w)")
    total = sp.Integer(0)
    for i, term in enumerate(terms):
        whole = re.fullmatch(r"\((.*)\)_([xy]+)", term)
        inner, axes = whole.groups() if whole else (term, "")
        inner = derivative.sub(lambda m: f"Derivative({m[1]}, {', '.join(m[2])})", inner).replace("^", "**")
        value = sp.sympify(inner, locals=local)
        total += sp.Symbol(f"k{i}") * (sp.diff(value, *axes) if axes else value).doit()
    parts = [*sorted(total.atoms(sp.Derivative), key=str), *sorted(total.atoms(sp.core.function.AppliedUndef), key=str), x, y]
    columns = {part: sp.Symbol(f"column{i}") for i, part in enumerate(parts)}
    total = total.xreplace(columns)  # whole derivatives first: they hold the fields
    used = [c.name for c in columns.values() if total.has(c)]
    return str(total), used, [f"k{i}" for i in range(len(terms))]


def readings(text: str, columns: list[str], constants: list[str]) -> list[Expr]:
    """A formula with columns x0, x1 … in the three ways of the module's docstring, as it is written and expanded."""
    symbols = {name: sp.Symbol(f"x{i}", real=True) for i, name in enumerate(columns)}
    free = {name: sp.Symbol(f"free{i}", real=True) for i, name in enumerate(constants)}
    written = sp.sympify(text, locals={**FUNCTIONS, **symbols, **free})
    expanded = sp.expand(written)
    exact = sp.nsimplify(written, rational=True)
    out = []
    for law in (written, exact, expanded):
        expr = Expr.from_sympy(law)
        values = {s.name: 1.0 for s in free.values()}
        expr = Expr(tuple(values.get(t, t) if isinstance(t, str) else t for t in expr.tokens))
        out += [expr, freed(expr)]
    return out


def freed(expr: Expr) -> Expr:
    """Every number that is no exponent as a free constant."""
    def branch(op: Op, arguments: list) -> tuple:
        if op.name == "power" and all(isinstance(t, int) or (isinstance(t, Op) and t.name in ("div", "neg")) for t in arguments[1][0]):
            return (*arguments[0][1], *arguments[1][0], op), (*arguments[0][1], *arguments[1][0], op)
        return tuple(sum((a[k] for a in arguments), ()) + (op,) for k in range(2))

    def leaf(token) -> tuple:
        number = isinstance(token, int | float) or (isinstance(token, Op) and token.arity == 0)
        return (token,), (1.0 if number else token,)

    return Expr(expr.fold(leaf, branch)[1])


def keys(root: Path = ROOT) -> set[int]:
    """The keys of all formulas in all readings."""
    expressions = list(dict.fromkeys(e for formula in formulas(root) for e in readings(*formula)))
    names = sorted({v for e in expressions for v in e.variables} | {"x0"})
    batch = Batch.pack(expressions, names)
    return set(renamed_keys(batch_of([collapsed(t) for t in lists(batch)], batch.names)).tolist())


def main() -> int:
    """Write or check the file; 1 where a key is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, do not write")
    wanted = keys()
    if parser.parse_args().check:
        missing = wanted - {int(line, 16) for line in FILE.read_text(encoding="utf-8").split()}
        print(f"{len(wanted)} keys, {len(missing)} missing")
        return bool(missing)
    FILE.write_text("".join(f"{key:016x}\n" for key in sorted(wanted)), encoding="utf-8")
    print(f"{len(wanted)} keys written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
