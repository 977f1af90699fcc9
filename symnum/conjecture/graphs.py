"""Exact invariants and properties of small graphs.

    INVARIANTS["domination_number"](SmallGraph.of(networkx.petersen_graph()))    3

A `SmallGraph` is its rows of adjacency bits, so that the invariants that take exponential time (independence, domination, chromatic
number …) are short recursions over integers; for the orders up to `MAX_ORDER` they take milliseconds. Values are ints, Fractions and
bools, never floats; `None` says that the invariant is undefined for the graph (the girth of a tree). Definitions as in D. B. West,
"Introduction to Graph Theory" (2001); residue: O. Favaron, M. Mahéo and J.-F. Saclé (1991, doi:10.1002/jgt.3190150107); annihilation
number: R. Pepper (2004, thesis, University of Houston); zero forcing: AIM Minimum Rank Group (2008, doi:10.1016/j.laa.2007.10.009).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from networkx import Graph

MAX_ORDER = 20  # above it, exponential time is felt
Value = int | Fraction | bool | None


@dataclass(frozen=True)
class SmallGraph:
    """A simple undirected graph on vertices 0..n-1.

    Attributes:
        rows: bit j of row i says whether i and j are joined.
        name: what it is called in reports.

    Raises:
        ValueError: (from `of`) no vertices, more than `MAX_ORDER`, directed, with loops or parallel edges.

    >>> import networkx
    >>> g = SmallGraph.of(networkx.path_graph(3), "P3")
    >>> g.rows, g.degrees, str(g)
    ((2, 5, 2), (1, 2, 1), 'P3')
    """

    rows: tuple[int, ...]
    name: str = field(default="", compare=False)

    @classmethod
    def of(cls, graph: "Graph", name: str = "") -> "SmallGraph":
        """The bits of a networkx graph, its vertices numbered in their order."""
        if graph.is_directed() or graph.is_multigraph() or any(u == v for u, v in graph.edges):
            msg = f"a simple undirected graph was required, got {graph} (directed, with parallel edges, or with loops)"
            raise ValueError(msg)
        if not 1 <= len(graph) <= MAX_ORDER:
            msg = f"a graph with 1 to {MAX_ORDER} vertices was required (exact invariants take exponential time), got {len(graph)}"
            raise ValueError(msg)
        place = {v: i for i, v in enumerate(graph)}
        return cls(tuple(sum(1 << place[u] for u in graph[v]) for v in graph), name or (graph.name or ""))

    def __str__(self) -> str:
        return self.name or self.graph6

    @property
    def order(self) -> int:
        return len(self.rows)

    @property
    def all(self) -> int:
        """All vertices, as bits."""
        return (1 << self.order) - 1

    @cached_property
    def degrees(self) -> tuple[int, ...]:
        """By vertex."""
        return tuple(r.bit_count() for r in self.rows)

    @cached_property
    def networkx(self) -> "Graph":
        import networkx

        graph = networkx.Graph()
        graph.add_nodes_from(range(self.order))
        graph.add_edges_from(self.edges())
        return graph

    @cached_property
    def graph6(self) -> str:
        """B. D. McKay's compact text form."""
        import networkx

        return networkx.to_graph6_bytes(self.networkx, header=False).decode().strip()

    @cached_property
    def eccentricities(self) -> tuple[int, ...] | None:
        """By vertex; None for a disconnected graph."""
        found = []
        for v in range(self.order):
            reached, steps = 1 << v, 0
            while reached != self.all:
                wider = reached | _union(self.rows, reached)
                if wider == reached:
                    return None
                reached, steps = wider, steps + 1
            found.append(steps)
        return tuple(found)

    def edges(self) -> Iterator[tuple[int, int]]:
        """Pairs (i, j), i < j."""
        return ((i, j) for i, r in enumerate(self.rows) for j in _bits(r >> (i + 1) << (i + 1)))


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _union(rows: Iterable[int], vertices: int) -> int:
    """The neighbours of a set of vertices."""
    rows, total = tuple(rows), 0
    for v in _bits(vertices):
        total |= rows[v]
    return total


# exponential time --------------------------------------------------------------------------------------------------------
def _independence(rows: tuple[int, ...], free: int) -> int:
    """The largest independent set in `free`: a vertex of degree at most 1 is taken, otherwise the one of highest degree is branched on."""
    best = 0
    while free:
        top, most = -1, -1
        for v in _bits(free):
            degree = (rows[v] & free).bit_count()
            if degree <= 1:
                top, most = v, degree
                break
            if degree > most:
                top, most = v, degree
        if most <= 1:
            best, free = best + 1, free & ~(rows[top] | 1 << top)
        else:
            without = free & ~(1 << top)
            return best + max(1 + _independence(rows, without & ~rows[top]), _independence(rows, without))
    return best


def _complement(g: SmallGraph) -> tuple[int, ...]:
    return tuple(g.all & ~r & ~(1 << i) for i, r in enumerate(g.rows))


def _cover(sets: tuple[int, ...], wanted: int, allowed: int, rows: tuple[int, ...] | None, limit: int) -> int:
    """The fewest of the `allowed` sets whose union is `wanted`, `limit` if not fewer; with `rows`, chosen ones are not joined."""
    if not wanted:
        return 0
    if limit <= 1:
        return limit
    # the element with the fewest sets that cover it is covered by one of them
    choices = min(([s for s in _bits(allowed) if sets[s] >> v & 1] for v in _bits(wanted)), key=len)
    for s in sorted(choices, key=lambda s: -(sets[s] & wanted).bit_count()):
        rest = allowed & ~(1 << s) if rows is None else allowed & ~(rows[s] | 1 << s)
        limit = min(limit, 1 + _cover(sets, wanted & ~sets[s], rest, rows, limit - 1))
        allowed &= ~(1 << s)
    return limit


def _closed(g: SmallGraph) -> tuple[int, ...]:
    return tuple(r | 1 << i for i, r in enumerate(g.rows))


def domination_number(g: SmallGraph) -> int:
    """The fewest vertices such that every other one has a neighbour among them."""
    return _cover(_closed(g), g.all, g.all, None, g.order + 1)


def independent_domination_number(g: SmallGraph) -> int:
    """The fewest vertices of a maximal independent set."""
    return _cover(_closed(g), g.all, g.all, g.rows, g.order + 1)


def total_domination_number(g: SmallGraph) -> int | None:
    """The fewest vertices such that every vertex has a neighbour among them; undefined with isolated vertices."""
    return _cover(g.rows, g.all, g.all, None, g.order + 1) if min(g.degrees) else None


def chromatic_number(g: SmallGraph) -> int:
    """The fewest colours such that joined vertices differ."""
    colours = clique_number(g)
    while not _colourable(g.rows, [0] * colours, sorted(range(g.order), key=lambda v: -g.degrees[v])):
        colours += 1
    return colours


def _colourable(rows: tuple[int, ...], classes: list[int], left: list[int]) -> bool:
    """Whether the vertices `left` fit into the colour classes; the one with the fewest open colours goes first."""
    if not left:
        return True
    v = min(left, key=lambda v: sum(not rows[v] & c for c in classes))
    rest, empty_seen = [u for u in left if u != v], False
    for i, c in enumerate(classes):
        if rows[v] & c or (not c and empty_seen):  # empty classes are alike
            continue
        empty_seen |= not c
        classes[i] |= 1 << v
        if _colourable(rows, classes, rest):
            return True
        classes[i] ^= 1 << v
    return False


def zero_forcing_number(g: SmallGraph) -> int:
    """The fewest coloured vertices from which all get coloured, where a coloured one with a single uncoloured neighbour colours it."""
    from itertools import combinations

    lowest = max(min(g.degrees), 1)
    return next(k for k in range(lowest, g.order + 1) for chosen in combinations(range(g.order), k)
                if _forced(g.rows, sum(1 << v for v in chosen)) == g.all)


def _forced(rows: tuple[int, ...], coloured: int) -> int:
    active = coloured
    while active:
        again = 0
        for v in _bits(active):
            white = rows[v] & ~coloured
            if white and not white & (white - 1):
                coloured |= white
                again |= white | (_union(rows, white) & coloured)
        active = again
    return coloured


# polynomial time ---------------------------------------------------------------------------------------------------------
def independence_number(g: SmallGraph) -> int:
    """The most vertices no two of which are joined."""
    return _independence(g.rows, g.all)


def clique_number(g: SmallGraph) -> int:
    """The most vertices all of which are joined."""
    return _independence(_complement(g), g.all)


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
        while (wider := (part | _union(rows, part)) & left) != part:
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
            wider, steps = reached | _union(g.rows, reached), steps + 1
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
    return all(_independence(g.rows, r) <= 2 for r in g.rows)


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
