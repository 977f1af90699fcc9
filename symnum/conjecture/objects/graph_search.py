"""Invariants of small graphs that take exponential time: recursions over bits, milliseconds up to twenty vertices."""

from itertools import combinations

from symnum.conjecture.objects.small_graph import SmallGraph, bits, union


def independence(rows: tuple[int, ...], free: int) -> int:
    """The largest independent set in `free`: a vertex of degree at most 1 is taken, otherwise the one of highest degree is branched on."""
    best = 0
    while free:
        top, most = -1, -1
        for v in bits(free):
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
            return best + max(1 + independence(rows, without & ~rows[top]), independence(rows, without))
    return best


def _complement(g: SmallGraph) -> tuple[int, ...]:
    return tuple(g.all & ~r & ~(1 << i) for i, r in enumerate(g.rows))


def independence_number(g: SmallGraph) -> int:
    """The most vertices no two of which are joined."""
    return independence(g.rows, g.all)


def clique_number(g: SmallGraph) -> int:
    """The most vertices all of which are joined."""
    return independence(_complement(g), g.all)


def _cover(sets: tuple[int, ...], wanted: int, allowed: int, rows: tuple[int, ...] | None, limit: int) -> int:
    """The fewest of the `allowed` sets whose union is `wanted`, `limit` if not fewer; with `rows`, chosen ones are not joined."""
    if not wanted:
        return 0
    if limit <= 1:
        return limit
    # the element with the fewest sets that cover it is covered by one of them
    choices = min(([s for s in bits(allowed) if sets[s] >> v & 1] for v in bits(wanted)), key=len)
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
    lowest = max(min(g.degrees), 1)
    return next(k for k in range(lowest, g.order + 1) for chosen in combinations(range(g.order), k)
                if _forced(g.rows, sum(1 << v for v in chosen)) == g.all)


def _forced(rows: tuple[int, ...], coloured: int) -> int:
    active = coloured
    while active:
        again = 0
        for v in bits(active):
            white = rows[v] & ~coloured
            if white and not white & (white - 1):
                coloured |= white
                again |= white | (union(rows, white) & coloured)
        active = again
    return coloured
