"""Search for a graph that breaks a bound, by changing graphs on which it is nearly or exactly an equality.

In the manner of AutoGraphiX (G. Caporossi and P. Hansen 2000, doi:10.1016/S0012-365X(99)00206-X): variable neighbourhood search that
minimises the slack of the bound over the graphs that satisfy its hypothesis. A step adds or removes an edge, moves one, switches two
(degrees are kept), adds a vertex or removes one; steps to an equal slack are taken, and after a while without progress a few steps are
taken blindly.
"""

from collections.abc import Callable, Sequence
from random import Random

from symnum.conjecture.objects.small_graph import SmallGraph

LARGEST = 12  # vertices of the graphs that are tried
PATIENCE = 25  # tries without progress before the graph is shaken

Slack = Callable[[SmallGraph], float | None]  # None: the hypothesis does not hold, or something is undefined
Step = Callable[[list[int], Random], bool]


def search(slack: Slack, seeds: Sequence[SmallGraph], tries: int, seed: int = 0) -> SmallGraph | None:
    """The first graph found with a negative slack; None after so many tries.

    >>> import networkx
    >>> star = SmallGraph.of(networkx.star_graph(3))
    >>> found = search(lambda g: 4.0 - g.order if g.eccentricities else None, [star], 200)  # "at most 4 vertices"
    >>> found.order
    5
    """
    random = Random(seed)
    for start in range(len(seeds)):
        current = seeds[start]
        value = slack(current)
        if value is None:
            continue
        home, home_value, idle = current, value, 0
        for _ in range(tries // len(seeds)):
            if idle >= PATIENCE:
                current, value, idle = *_shaken(home, home_value, slack, random), 0
            graph = _changed(current, random)
            new = slack(graph)
            if new is None:
                idle += 1
                continue
            if new < 0:
                return graph
            idle = 0 if new < value else idle + 1
            if new <= value:
                current, value = graph, new
            if value < home_value:
                home, home_value = current, value
    return None


def _shaken(graph: SmallGraph, value: float, slack: Slack, random: Random) -> tuple[SmallGraph, float]:
    """Up to three steps that only keep the hypothesis."""
    for _ in range(random.randint(1, 3)):
        other = _changed(graph, random)
        if (new := slack(other)) is not None:
            graph, value = other, new
    return graph, value


def _changed(graph: SmallGraph, random: Random) -> SmallGraph:
    """A graph one step away; the same where the step drawn does not apply."""
    rows = list(graph.rows)
    applied = random.choice(_STEPS)(rows, random)
    return SmallGraph(tuple(rows)) if applied else graph


def _flip(rows: list[int], i: int, j: int) -> None:
    rows[i] ^= 1 << j
    rows[j] ^= 1 << i


def _edge(rows: list[int], random: Random) -> bool:
    if len(rows) < 2:
        return False
    _flip(rows, *random.sample(range(len(rows)), 2))
    return True


def _move(rows: list[int], random: Random) -> bool:
    """One end of an edge goes elsewhere."""
    edges = [(i, j) for i, r in enumerate(rows) for j in range(len(rows)) if r >> j & 1]
    if not edges:
        return False
    i, j = random.choice(edges)
    free = [k for k in range(len(rows)) if k != i and not rows[i] >> k & 1]
    if not free:
        return False
    _flip(rows, i, j)
    _flip(rows, i, random.choice(free))
    return True


def _switch(rows: list[int], random: Random) -> bool:
    """Edges ij, kl become ik, jl."""
    edges = [(i, j) for i, r in enumerate(rows) for j in range(len(rows)) if r >> j & 1]
    if len(edges) < 4:
        return False
    (i, j), (k, m) = random.sample(edges, 2)
    if len({i, j, k, m}) < 4 or rows[i] >> k & 1 or rows[j] >> m & 1:
        return False
    for a, b in ((i, j), (k, m), (i, k), (j, m)):
        _flip(rows, a, b)
    return True


def _grow(rows: list[int], random: Random) -> bool:
    """A new vertex: joined to a few, or a twin of one."""
    n = len(rows)
    if n >= LARGEST:
        return False
    if random.random() < 0.3:
        twin = random.randrange(n)
        neighbours = rows[twin] | (random.getrandbits(1) << twin)
    else:
        neighbours = sum(1 << v for v in random.sample(range(n), min(n, random.choice((1, 1, 2, 3)))))
    rows.append(0)
    for v in range(n):
        if neighbours >> v & 1:
            _flip(rows, v, n)
    return True


def _shrink(rows: list[int], random: Random) -> bool:
    n = len(rows)
    if n < 3:
        return False
    v = random.randrange(n)
    low = (1 << v) - 1
    rows[:] = [(r & low) | (r >> (v + 1) << v) for i, r in enumerate(rows) if i != v]
    return True


_STEPS: tuple[Step, ...] = (_edge, _edge, _move, _switch, _grow, _shrink)
