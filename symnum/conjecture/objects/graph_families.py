"""The shipped graphs: all small connected ones and the named families, made by networkx.

    small_graphs()     for conjecturing: all connected graphs with 2 to 6 vertices, and larger ones of the named families
    all_graphs()       for refuting: all connected graphs with 2 to 7 vertices, all trees to 10, regular graphs, circulants, named ones …

Graphs with up to seven vertices that have no name of their own are called by their number in R. C. Read and R. J. Wilson, "An Atlas
of Graphs" (1998): G31. No two graphs of a list are isomorphic.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING

from symnum.conjecture.objects.small_graph import SmallGraph, bits

if TYPE_CHECKING:
    from networkx import Graph

LARGEST = 16  # vertices of a shipped graph
Named = tuple[str, "Graph"]


@lru_cache(maxsize=1)
def small_graphs() -> tuple[SmallGraph, ...]:
    """The graphs that conjectures are made from.

    >>> len(small_graphs()), [str(g) for g in small_graphs()[:4]]
    (207, ['K2', 'P3', 'K3', 'P4'])
    """
    return tuple(_distinct([*_series(12, 2), *_famous(12)], _atlas(6)))


@lru_cache(maxsize=1)
def all_graphs() -> tuple[SmallGraph, ...]:
    """The graphs that conjectures are tried against; the graphs of `small_graphs` are among them."""
    return tuple(_distinct([*_series(LARGEST, 1), *_famous(LARGEST)], [*_atlas(7), *_trees(10), *_regular(), *_circulants(), *_coronas()]))


def _distinct(named: Iterable[Named], others: Iterable[Named]) -> list[SmallGraph]:
    """One graph of each isomorphism class, the named first, in order of size."""
    import networkx

    buckets: dict[tuple, list[SmallGraph]] = {}
    for name, graph in (*named, *others):
        small = SmallGraph.of(graph, name)
        alike = buckets.setdefault(_colours(small), [])
        if not any(networkx.is_isomorphic(small.networkx, g.networkx) for g in alike):
            alike.append(small)
    graphs = [g for alike in buckets.values() for g in alike]
    return sorted(graphs, key=lambda g: (g.order, sum(g.degrees)))


def _colours(g: SmallGraph) -> tuple:
    """The same for isomorphic graphs: vertices told apart by their distances and triangles, then by those of their neighbours."""
    colours: list = [(e, sum((r & g.rows[j]).bit_count() for j in bits(r))) for e, r in zip(g.eccentricities or (), g.rows, strict=True)]
    for _ in range(3):
        colours = [hash((c, *sorted(hash(colours[j]) for j in bits(r)))) for c, r in zip(colours, g.rows, strict=True)]
    return tuple(sorted(colours))


def _series(largest: int, step: int) -> Iterator[Named]:
    """Families with a parameter, up to `largest` vertices, every `step`-th above ten."""
    import networkx as nx

    for n in [n for n in range(2, largest + 1) if n <= 10 or n % step == 0]:
        yield f"K{n}", nx.complete_graph(n)
        yield f"P{n}", nx.path_graph(n)
        yield f"K1,{n - 1}", nx.star_graph(n - 1)
        if n > 3:
            yield f"C{n}", nx.cycle_graph(n)
            yield f"W{n - 1}", nx.wheel_graph(n)
            yield f"K{n // 2},{n - n // 2}", nx.complete_bipartite_graph(n // 2, n - n // 2)
        if n >= 8:
            yield f"K2,{n - 2}", nx.complete_bipartite_graph(2, n - 2)
            yield f"Turan({n},3)", nx.turan_graph(n, 3)
            yield f"lollipop({n - 3},3)", nx.lollipop_graph(n - 3, 3)
        if n >= 8 and n % 2 == 0:
            yield f"ladder {n // 2}", nx.ladder_graph(n // 2)
            yield f"prism {n // 2}", nx.circular_ladder_graph(n // 2)
            yield f"barbell {n // 2}", nx.barbell_graph(n // 2, 0)
            yield f"cocktail party {n // 2}", nx.complement(nx.from_edgelist([(2 * i, 2 * i + 1) for i in range(n // 2)]))


def _famous(largest: int) -> Iterator[Named]:
    """Graphs with names of their own."""
    import networkx as nx

    makers = {
        "Petersen graph": nx.petersen_graph, "cube": nx.cubical_graph, "octahedron": nx.octahedral_graph,
        "icosahedron": nx.icosahedral_graph, "Chvatal graph": nx.chvatal_graph, "Frucht graph": nx.frucht_graph,
        "Heawood graph": nx.heawood_graph, "bull": nx.bull_graph, "diamond": nx.diamond_graph,
        "house": nx.house_graph, "Krackhardt kite": nx.krackhardt_kite_graph, "truncated tetrahedron": nx.truncated_tetrahedron_graph,
        "Moebius-Kantor graph": nx.moebius_kantor_graph, "Q4": lambda: nx.hypercube_graph(4),
        "friendship graph 4": lambda: nx.windmill_graph(4, 3), "3x3 grid": lambda: nx.grid_2d_graph(3, 3),
        "3x4 grid": lambda: nx.grid_2d_graph(3, 4), "4x4 grid": lambda: nx.grid_2d_graph(4, 4),
        "Paley graph 13": lambda: nx.circulant_graph(13, [1, 3, 4]), "Groetzsch graph": lambda: nx.mycielski_graph(4),
        "K3 x K3": lambda: nx.cartesian_product(nx.complete_graph(3), nx.complete_graph(3)),
    }
    for name, make in makers.items():
        graph = make()
        if len(graph) <= largest:
            yield name, graph


def _atlas(largest: int) -> Iterator[Named]:
    """All connected graphs with 2 to `largest` (at most 7) vertices."""
    import networkx as nx

    return ((f"G{i}", g) for i, g in enumerate(nx.graph_atlas_g()) if 2 <= len(g) <= largest and nx.is_connected(g))


def _trees(largest: int) -> Iterator[Named]:
    import networkx as nx

    return ((f"tree {n}.{i}", t) for n in range(8, largest + 1) for i, t in enumerate(nx.nonisomorphic_trees(n), 1))


def _regular() -> Iterator[Named]:
    """Connected random regular graphs with fixed seeds; most cubic graphs with 8 and 10 vertices are among them."""
    import networkx as nx

    for degree, order, seeds in ((3, 8, 15), (3, 10, 40), (3, 12, 20), (3, 14, 10), (4, 8, 15), (4, 9, 15), (4, 10, 15), (5, 10, 10)):
        for seed in range(seeds):
            graph = nx.random_regular_graph(degree, order, seed=seed)
            if nx.is_connected(graph):
                yield f"{degree}-regular {order}.{seed}", graph


def _circulants() -> Iterator[Named]:
    """Connected circulants with two jumps on 8 to 13 vertices."""
    import networkx as nx

    for n in range(8, 14):
        for a, b in combinations(range(1, n // 2 + 1), 2):
            graph = nx.circulant_graph(n, [a, b])
            if nx.is_connected(graph):
                yield f"circulant {n}({a},{b})", graph


def _coronas() -> Iterator[Named]:
    """A leaf at every vertex of each connected graph with 4 to 6 vertices: extreme for domination, matching and covering."""
    import networkx as nx

    for name, graph in _atlas(6):
        if len(graph) >= 4:
            n = len(graph)
            yield f"corona of {name}", nx.compose(graph, nx.from_edgelist([(v, v + n) for v in range(n)]))
