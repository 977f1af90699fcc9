"""Exact invariants and properties of small graphs.

    INVARIANTS["domination_number"](SmallGraph.of(networkx.petersen_graph()))    3

A `SmallGraph` is its rows of adjacency bits, so that the invariants that take exponential time (independence, domination, chromatic
number …) are short recursions over integers; for the orders up to `MAX_ORDER` they take milliseconds. Values are ints, Fractions and
bools, never floats; `None` says that the invariant is undefined for the graph (the girth of a tree). Definitions as in D. B. West,
"Introduction to Graph Theory" (2001); residue: O. Favaron, M. Mahéo and J.-F. Saclé (1991, doi:10.1002/jgt.3190150107); annihilation
number: R. Pepper (2004, thesis, University of Houston); zero forcing: AIM Minimum Rank Group (2008, doi:10.1016/j.laa.2007.10.009).
"""

from collections.abc import Callable
from fractions import Fraction

from symnum.conjecture.objects.graph_search import (
    chromatic_number,
    clique_number,
    domination_number,
    independence,
    independence_number,
    independent_domination_number,
    total_domination_number,
    zero_forcing_number,
)
from symnum.conjecture.objects.small_graph import SmallGraph, union

Value = int | Fraction | bool | None


def matching_number(g: SmallGraph) -> int:
    """The most edges no two of which share a vertex."""
    import networkx

    return len(networkx.max_weight_matching(g.networkx, maxcardinality=True))


def residue(g: SmallGraph) -> int:
    """The zeros left by the Havel-Hakimi process on the degrees."""
    degrees = sorted(g.degrees, reverse=True)
    while degrees and degrees[0]:
        first, rest = degrees[0], degrees[1:]
        degrees = sorted([d - 1 for d in rest[:first]] + rest[first:], reverse=True)
    return len(degrees)


def annihilation_number(g: SmallGraph) -> int:
    """The most vertices, smallest degrees first, whose degrees sum to at most the number of edges."""
    total, size = 0, sum(g.degrees) // 2
    for k, d in enumerate(sorted(g.degrees)):
        total += d
        if total > size:
            return k
    return g.order


def slater_number(g: SmallGraph) -> int:
    """The fewest vertices, largest degrees first, whose degrees plus their count reach the order (P. J. Slater 1995)."""
    total = 0
    for k, d in enumerate(sorted(g.degrees, reverse=True), 1):
        total += d + 1
        if total >= g.order:
            return k
    return g.order


def girth(g: SmallGraph) -> int | None:
    """The length of a shortest cycle; undefined without one."""
    import networkx

    length = networkx.girth(g.networkx)
    return int(length) if length < g.order + 1 else None


def triangles(g: SmallGraph) -> int:
    """Triples of vertices all of which are joined."""
    return sum((g.rows[i] & g.rows[j]).bit_count() for i, j in g.edges()) // 3


def spanning_trees(g: SmallGraph) -> int:
    """Spanning trees, as a cofactor of the Laplacian (G. Kirchhoff 1847)."""
    from flint import fmpz_mat

    n = g.order - 1
    entries = [g.degrees[i] if i == j else -(g.rows[i] >> j & 1) for i in range(n) for j in range(n)]
    return int(fmpz_mat(n, n, entries).det()) if n else 1


def _components(rows: tuple[int, ...], left: int) -> int:
    count = 0
    while left:
        part = left & -left
        while (wider := (part | union(rows, part)) & left) != part:
            part = wider
        left, count = left & ~part, count + 1
    return count


def cut_vertices(g: SmallGraph) -> int:
    """Vertices whose removal makes more components."""
    whole = _components(g.rows, g.all)
    return sum(_components(g.rows, g.all & ~(1 << v)) > whole for v in range(g.order) if g.rows[v])


def bridges(g: SmallGraph) -> int:
    """Edges whose removal makes more components."""
    import networkx

    return sum(1 for _ in networkx.bridges(g.networkx))


def vertex_connectivity(g: SmallGraph) -> int:
    """The fewest vertices whose removal disconnects the graph or leaves one vertex."""
    import networkx

    return networkx.node_connectivity(g.networkx)


def edge_connectivity(g: SmallGraph) -> int:
    """The fewest edges whose removal disconnects the graph; 0 for one vertex."""
    import networkx

    return networkx.edge_connectivity(g.networkx) if g.order > 1 else 0


def degeneracy(g: SmallGraph) -> int:
    """The largest minimum degree of a subgraph."""
    import networkx

    return max(networkx.core_number(g.networkx).values())


def wiener_index(g: SmallGraph) -> int | None:
    """The sum of the distances of all pairs; undefined for disconnected graphs."""
    if g.eccentricities is None:
        return None
    total = 0
    for v in range(g.order):
        reached, steps = 1 << v, 0
        while reached != g.all:
            wider, steps = reached | union(g.rows, reached), steps + 1
            total += steps * (wider & ~reached).bit_count()
            reached = wider
    return total // 2


def _of_distances(choose: Callable[[tuple[int, ...]], int]) -> Callable[[SmallGraph], int | None]:
    return lambda g: None if g.eccentricities is None else choose(g.eccentricities)


INVARIANTS: dict[str, Callable[[SmallGraph], Value]] = {  # the earlier ones are the ones that later ones are written in
    "order": lambda g: g.order,
    "size": lambda g: sum(g.degrees) // 2,
    "min_degree": lambda g: min(g.degrees),
    "max_degree": lambda g: max(g.degrees),
    "average_degree": lambda g: Fraction(sum(g.degrees), g.order),
    "radius": _of_distances(min),
    "diameter": _of_distances(max),
    "girth": girth,
    "leaves": lambda g: g.degrees.count(1),
    "triangles": triangles,
    "independence_number": independence_number,
    "matching_number": matching_number,
    "clique_number": clique_number,
    "chromatic_number": chromatic_number,
    "domination_number": domination_number,
    "total_domination_number": total_domination_number,
    "independent_domination_number": independent_domination_number,
    "zero_forcing_number": zero_forcing_number,
    "residue": residue,
    "annihilation_number": annihilation_number,
    "slater_number": slater_number,
    "degeneracy": degeneracy,
    "vertex_connectivity": vertex_connectivity,
    "edge_connectivity": edge_connectivity,
    "cut_vertices": cut_vertices,
    "bridges": bridges,
    "vertex_cover_number": lambda g: g.order - independence_number(g),
    "cycle_rank": lambda g: sum(g.degrees) // 2 - g.order + _components(g.rows, g.all),
    "spanning_trees": spanning_trees,
    "wiener_index": wiener_index,
    "first_zagreb_index": lambda g: sum(d * d for d in g.degrees),
    "harmonic_index": lambda g: sum((Fraction(2, g.degrees[i] + g.degrees[j]) for i, j in g.edges()), Fraction(0)),
}


# properties --------------------------------------------------------------------------------------------------------------
def _planar(g: SmallGraph) -> bool:
    import networkx

    return networkx.check_planarity(g.networkx)[0]


def _bipartite(g: SmallGraph) -> bool:
    import networkx

    return networkx.is_bipartite(g.networkx)


def _chordal(g: SmallGraph) -> bool:
    import networkx

    return networkx.is_chordal(g.networkx)


def _claw_free(g: SmallGraph) -> bool:
    return all(independence(g.rows, r) <= 2 for r in g.rows)


PROPERTIES: dict[str, Callable[[SmallGraph], bool]] = {
    "connected": lambda g: g.eccentricities is not None,
    "nontrivial": lambda g: g.order > 1,
    "tree": lambda g: g.eccentricities is not None and sum(g.degrees) == 2 * (g.order - 1),
    "cyclic": lambda g: sum(g.degrees) // 2 - g.order + _components(g.rows, g.all) > 0,
    "bipartite": _bipartite,
    "regular": lambda g: len(set(g.degrees)) == 1,
    "cubic": lambda g: set(g.degrees) == {3},
    "subcubic": lambda g: max(g.degrees) <= 3,
    "planar": _planar,
    "triangle_free": lambda g: not any(g.rows[i] & g.rows[j] for i, j in g.edges()),
    "claw_free": _claw_free,
    "chordal": _chordal,
    "eulerian": lambda g: g.eccentricities is not None and all(d % 2 == 0 for d in g.degrees),
    "two_connected": lambda g: g.order > 2 and g.eccentricities is not None and not cut_vertices(g),
}
