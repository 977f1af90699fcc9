"""A small graph as rows of adjacency bits: what exact invariants are computed on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from networkx import Graph

MAX_ORDER = 20  # above it, invariants that take exponential time are felt


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
                wider = reached | union(self.rows, reached)
                if wider == reached:
                    return None
                reached, steps = wider, steps + 1
            found.append(steps)
        return tuple(found)

    def edges(self) -> Iterator[tuple[int, int]]:
        """Pairs (i, j), i < j."""
        return ((i, j) for i, r in enumerate(self.rows) for j in bits(r >> (i + 1) << (i + 1)))


def bits(mask: int) -> Iterator[int]:
    """The places of the ones, ascending."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def union(rows: Iterable[int], vertices: int) -> int:
    """The neighbours of a set of vertices."""
    rows, total = tuple(rows), 0
    for v in bits(vertices):
        total |= rows[v]
    return total
