"""Integer solutions of A x = 0: the lattice of all of them, and the Hilbert basis of the nonnegative ones.

Every function takes A as a sequence of integer rows of equal length n and answers in tuples of n Python integers. All arithmetic is exact.
"""

from collections.abc import Sequence

from flint import fmpz_mat

Vector = tuple[int, ...]


def nullspace(rows: Sequence[Sequence[int]], n: int | None = None) -> tuple[Vector, ...]:
    """A basis of the lattice of all integer solutions of A x = 0, LLL-reduced: short vectors, first nonzero entry positive.

    `n` is the number of unknowns, needed where there is no row.

    Raises:
        ValueError: rows of different lengths, or no row and no `n`.

    >>> nullspace([(2, 0, -2), (0, 2, -1)])  # hydrogen and oxygen in H2 + O2 -> H2O
    ((2, 1, 2),)
    """
    return tuple(_head_positive(v) for v in split(rows, n)[0])


def split(rows: Sequence[Sequence[int]], n: int | None = None) -> tuple[list[Vector], list[Vector]]:
    """A reduced basis b_1 … b_d of the integer kernel, and d integer functionals w_i with w_i·b_j = 1 if i = j, else 0.

    LLL on the rows (e_j | N a_j), a_j the columns of A and N large, leaves d vectors (b | 0) and n − d vectors whose right parts are
    independent (M. Pohst, J. Symbolic Comput. 4 (1987) 123, doi:10.1016/S0747-7171(87)80061-5). The left parts of all n together are
    unimodular, so the b's generate every integer solution, and the inverse holds the functionals.
    """
    n = _columns(rows, n)
    if n == 0:
        return [], []
    rank = fmpz_mat([list(r) for r in rows]).rank() if rows else 0
    weight = 1 << (n + max((abs(a).bit_length() for r in rows for a in r), default=1))
    while True:
        matrix = [[int(i == j) for i in range(n)] + [weight * r[j] for r in rows] for j in range(n)]
        reduced = fmpz_mat(matrix).lll().tolist()
        if all(not any(v[n:]) for v in reduced[: n - rank]):
            break
        weight *= weight
    left = [[int(a) for a in v[:n]] for v in reduced]
    inverse = fmpz_mat(left).inv()  # rational: with integer=True python-flint 0.9 loses the sign of a determinant of −1
    functionals = [tuple(int(inverse[j, i].p) for j in range(n)) for i in range(n - rank)]
    return [tuple(v) for v in left[: n - rank]], functionals


def hilbert_basis(rows: Sequence[Sequence[int]], n: int | None = None, limit: int = 400) -> tuple[Vector, ...] | None:
    """The Hilbert basis of the solutions x >= 0 of A x = 0: each of them is a sum of these, and none of these is a sum of others.

    Sorted by sum, then lexicographically (larger first entries first). None where a working set grows past `limit` vectors.

    The lattice is projected to ever more coordinates; at each one the vectors that are >= 0 so far are completed by sums of one with
    a positive and one with a negative new entry (L. Pottier, Proc. RTA 1991; R. Hemmecke, On the
    computation of Hilbert bases of cones, arXiv:math/0203105).

    >>> hilbert_basis([(1, 0, -1, -1), (0, 2, -1, -2)])  # C + O2 -> CO + CO2
    ((1, 1, 0, 1), (2, 1, 2, 0))
    """
    n = _columns(rows, n)
    basis = nullspace(rows, n)
    if not basis:
        return ()
    echelon, pivots = _echelon(basis)
    order = pivots + [j for j in range(n) if j not in pivots]
    lattice = [tuple(v[j] for j in order) for v in echelon]
    found: list[Vector] = []
    for k in range(n):
        if k < len(lattice):  # a new direction: earlier entries 0, entry k positive; both signs until the entry is cut
            found += [lattice[k], tuple(-a for a in lattice[k])]
        completed = _complete(found, k, limit)
        if completed is None:
            return None
        found = completed
    place = [order.index(j) for j in range(n)]
    return tuple(sorted((tuple(v[p] for p in place) for v in found), key=lambda v: (sum(v), [-a for a in v])))


def _complete(generators: list[Vector], k: int, limit: int) -> list[Vector] | None:
    """From generators of the vectors with entries 0 … k−1 nonnegative (entry k free) to the irreducible ones with entry k >= 0 too."""
    kept: tuple[list[Vector], list[Vector]] = ([], [])  # by the sign of entry k; a 0 counts on both sides when dividing
    waiting = sorted(generators, key=lambda v: sum(map(abs, v[: k + 1])), reverse=True)
    while waiting:
        v = _reduce(waiting.pop(), k, kept)
        if v is None:
            continue
        sign = v[k] < 0
        others = kept[not sign] if v[k] else []
        waiting += [tuple(map(int.__add__, v, w)) for w in others if w[k]]
        kept[sign].append(v)
        if len(kept[0]) + len(kept[1]) > limit or len(waiting) > 100 * limit:
            return None
    return [v for i, v in enumerate(kept[0]) if not any(i != j and _below(w, v, k) for j, w in enumerate(kept[0]))]


def _reduce(v: Vector, k: int, kept: tuple[list[Vector], list[Vector]]) -> Vector | None:
    """What is left of v after subtracting kept vectors that fit below it; None where nothing is."""
    while any(v[: k + 1]):
        for w in kept[v[k] < 0]:
            if _below(w, v, k):
                break
        else:
            for w in kept[0]:
                if not w[k] and _below(w, v, k):
                    break
            else:
                return v
        v = tuple(map(int.__sub__, v, w))
    return None


def _below(w: Vector, v: Vector, k: int) -> bool:
    """Whether w <= v in the entries 0 … k−1 and w's entry k lies between 0 and v's."""
    return (0 <= w[k] <= v[k] or v[k] <= w[k] <= 0) and all(a <= b for a, b in zip(w[:k], v, strict=False))


def _echelon(basis: Sequence[Vector]) -> tuple[list[Vector], list[int]]:
    """The lattice's Hermite basis and its pivots: vector i is positive at pivot i and 0 at the pivots before it."""
    hermite = [tuple(int(a) for a in r) for r in fmpz_mat([list(v) for v in basis]).hnf().tolist()]
    return hermite, [next(j for j, a in enumerate(r) if a) for r in hermite]


def _head_positive(v: Vector) -> Vector:
    return tuple(-a for a in v) if next(a for a in v if a) < 0 else v


def _columns(rows: Sequence[Sequence[int]], n: int | None) -> int:
    lengths = {len(r) for r in rows} | ({n} if n is not None else set())
    if len(lengths) != 1:
        msg = f"rows of one length were required, got lengths {sorted(lengths)}" if lengths else "without rows, n is required"
        raise ValueError(msg)
    return lengths.pop()
