"""How a bound is said: in words, in LaTeX, and as a Lean 4 statement over Mathlib."""

import re
from collections.abc import Iterable, Sequence

from symnum.language.export import latex_name
from symnum.language.expr import Expr
from symnum.language.ops import Op

SIGNS = {"<=": ("≤", r"\le", "≤"), ">=": ("≥", r"\ge", "≥"), "=": ("=", "=", "=")}
SYMBOLS = {  # invariant of a graph -> text, LaTeX
    "order": ("n", "n"), "size": ("m", "m"), "min_degree": ("δ", r"\delta"), "max_degree": ("Δ", r"\Delta"),
    "average_degree": ("d̄", r"\bar d"), "radius": ("rad", r"\operatorname{rad}"), "diameter": ("diam", r"\operatorname{diam}"),
    "girth": ("girth", r"\operatorname{girth}"), "leaves": ("leaves", r"\ell"), "triangles": ("t", "t"),
    "independence_number": ("α", r"\alpha"), "matching_number": ("μ", r"\mu"), "clique_number": ("ω", r"\omega"),
    "chromatic_number": ("χ", r"\chi"), "domination_number": ("γ", r"\gamma"), "total_domination_number": ("γₜ", r"\gamma_t"),
    "independent_domination_number": ("i", "i"), "zero_forcing_number": ("Z", "Z"), "residue": ("residue", "R"),
    "annihilation_number": ("a", "a"), "slater_number": ("slater", r"\mathrm{sl}"), "degeneracy": ("degeneracy", r"\operatorname{degen}"),
    "vertex_connectivity": ("κ", r"\kappa"), "edge_connectivity": ("λ", r"\lambda"), "cut_vertices": ("cut_vertices", "c"),
    "bridges": ("bridges", "b"), "vertex_cover_number": ("τ", r"\tau"), "cycle_rank": ("cycle_rank", r"\nu"),
    "spanning_trees": ("spanning_trees", r"\mathrm{st}"), "wiener_index": ("W", "W"), "first_zagreb_index": ("M₁", "M_1"),
    "harmonic_index": ("harmonic", "H"),
}
WORDS = {  # property of a graph -> adjective, or what follows the noun
    "two_connected": "2-connected", "triangle_free": "triangle-free", "claw_free": "claw-free", "cyclic": "with a cycle",
    "tree": "that is a tree", "eulerian": "Eulerian",
}
LEAN = {  # Mathlib's name where it has one
    "order": "(Fintype.card V : ℝ)", "size": "(G.edgeFinset.card : ℝ)", "min_degree": "(G.minDegree : ℝ)",
    "max_degree": "(G.maxDegree : ℝ)", "independence_number": "(G.indepNum : ℝ)", "clique_number": "(G.cliqueNum : ℝ)",
    "chromatic_number": "(G.chromaticNumber.toNat : ℝ)", "diameter": "(G.diam : ℝ)", "girth": "(G.girth : ℝ)",
}
LEAN_PROPERTIES = {
    "connected": "G.Connected", "nontrivial": "Nontrivial V", "tree": "G.IsTree", "cyclic": "¬ G.IsAcyclic", "bipartite": "G.Colorable 2",
    "regular": "∃ d, G.IsRegularOfDegree d", "cubic": "G.IsRegularOfDegree 3", "subcubic": "G.maxDegree ≤ 3",
    "triangle_free": "G.CliqueFree 3",
}
_LEAN_OPERATORS = {
    "add": "({} + {})", "sub": "({} - {})", "mul": "({} * {})", "div": "({} / {})", "neg": "(-{})", "inv": "(1 / {})", "power": "({} ^ {})",
    "square": "({} ^ 2)", "cube": "({} ^ 3)", "sqrt": "(Real.sqrt {})", "log": "(Real.log {})", "abs": "|{}|", "min": "(min {} {})",
    "max": "(max {} {})",
}


def words(target: str, relation: str, right: Expr, hypothesis: Sequence[str], noun: str) -> str:
    """One sentence without its full stop.

    >>> words("independence_number", ">=", Expr.parse("residue"), ["connected", "nontrivial", "tree"], "graph")
    'For every nontrivial connected graph G that is a tree, α(G) ≥ residue(G)'
    >>> words("tau", "<=", Expr.parse("(n + 1)/2"), ["prime"], "integer")
    'For every prime integer, tau ≤ (n + 1)/2'
    """
    graph = noun == "graph"
    phrases = [WORDS.get(p, p.replace("_", " ")) for p in reversed(hypothesis)]
    before = [p for p in phrases if not p.startswith(("with ", "that "))]
    after = [p for p in phrases if p.startswith(("with ", "that "))]
    subject = " ".join([*before, noun, *(["G"] if graph else []), *([" and ".join(after)] if after else [])])

    def name(variable: str) -> str:
        return f"{SYMBOLS[variable][0]}(G)" if graph and variable in SYMBOLS else f"{variable}(G)" if graph else variable

    def spelled(match: re.Match) -> str:
        word = match[1] or match[0]
        return name(word) if word in right.variables else word

    text = re.sub(r"`([^`]+)`|\b[^\W\d]\w*\b(?!\()", spelled, str(right))
    return f"For every {subject}, {name(target)} {SIGNS[relation][0]} {text}"


def latex(target: str, relation: str, right: Expr, noun: str) -> str:
    r"""The inequality.

    >>> latex("domination_number", "<=", Expr.parse("order/2"), "graph")
    '\\gamma(G) \\le \\frac{n(G)}{2}'
    """
    def name(variable: str) -> str:
        symbol = SYMBOLS[variable][1] if noun == "graph" and variable in SYMBOLS else latex_name(variable)
        return f"{symbol}(G)" if noun == "graph" else symbol

    places = {v: f"Q{i}" for i, v in enumerate(right.variables)}  # names that LaTeX leaves alone
    text = right.substitute(places).latex()
    for variable, place in places.items():
        text = text.replace(latex_name(place), name(variable))
    return f"{name(target)} {SIGNS[relation][1]} {text}"


def lean(label: str, target: str, relation: str, right: Expr, hypothesis: Sequence[str], noun: str) -> str:
    """A Lean 4 theorem with `sorry` for its proof; what Mathlib has no name for is declared first, as an axiom without content.

    >>> print(lean("bound_1", "independence_number", ">=", Expr.parse("residue/2"), ["connected"], "graph"))
    axiom residue {V : Type} [Fintype V] [DecidableEq V] (G : SimpleGraph V) : ℝ
    <BLANKLINE>
    theorem bound_1 {V : Type} [Fintype V] [DecidableEq V] (G : SimpleGraph V) [DecidableRel G.Adj] (h1 : G.Connected) :
        (G.indepNum : ℝ) ≥ (residue G / 2) := by
      sorry
    """
    graph = noun == "graph"
    holder = "{V : Type} [Fintype V] [DecidableEq V] (G : SimpleGraph V)" if graph else "(x : Obj)"
    axioms = [] if graph else ["axiom Obj : Type"]

    def term(name: str, known: dict[str, str], kind: str) -> str:
        if graph and name in known:
            return known[name]
        word = re.sub(r"\W", "_", name)
        word = word if not word[0].isdigit() else f"x{word}"
        axiom = f"axiom {word} {holder} : {kind}"
        if axiom not in axioms:
            axioms.append(axiom)
        return f"{word} {'G' if graph else 'x'}"

    def leaf(token) -> str:
        return str(token) if isinstance(token, int) else term(token, LEAN, "ℝ")

    def branch(op: Op, arguments: list[str]) -> str:
        if op.name in ("sqrt", "log", "min", "max"):
            arguments = [a if a[0] in "(|" else f"({a})" for a in arguments]
        return _LEAN_OPERATORS[op.name].format(*arguments)

    left, value = term(target, LEAN, "ℝ"), right.fold(leaf, branch)
    given = " ".join(f"(h{i} : {term(p, LEAN_PROPERTIES, 'Prop')})" for i, p in enumerate(hypothesis, 1))
    subject = f"{holder} [DecidableRel G.Adj]" if graph else holder
    return "\n".join([*axioms, *([""] if axioms else []), f"theorem {label} {subject}{' ' if given else ''}{given} :",
                      f"    {left} {SIGNS[relation][2]} {value} := by", "  sorry"])


def lean_file(theorems: Iterable[str]) -> str:
    """Several results of `lean` as one file: every axiom once, at the head."""
    parts = [t.rpartition("\n\n") for t in theorems]
    axioms = dict.fromkeys(line for head, _, _ in parts for line in head.splitlines())
    return "\n\n".join(["import Mathlib", *(["\n".join(axioms)] if axioms else []), *(body for _, _, body in parts)])
