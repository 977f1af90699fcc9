"""One stratum of the census: its clusters, plane after plane, and the constants in each.

A cluster whose samples are all in terms of one constant, or of none, is settled: its members are taken to be so. Where samples disagree
it is split in the next plane. What disagrees in the last plane, and the noise, is settled one fraction at a time.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from symnum.conjecture.census.clusters import NOISE, PLANES, clusters
from symnum.conjecture.census.constants import NAMES, NONE, UNSEEN, Formula, screened, stated
from symnum.numbers.pcf import PCF

SMALL, SAMPLES = 40, 16  # clusters of at most so many fractions are looked at entirely, of larger ones that many
MOST_MEMBERS = 500  # of a mixed cluster, looked at one by one
EXAMPLES, ATTEMPTS = 2, 6  # formulas stated per constant of a cluster, and fractions tried for them
Path = tuple[str, ...]  # the number of a cluster in every plane on the way to it


@dataclass(frozen=True)
class Stratum:
    """Fractions of one stratum.

    Attributes:
        key: degrees and leading coefficients, see `clusters.strata`.
        rows: (P,) their numbers in the census.
        a, b: (P, k) coefficients, from the highest power down.
        metrics: by name, (P,) finite values; those of `PLANES` at least.
    """

    key: tuple[int, int, int, int]
    rows: np.ndarray
    a: np.ndarray
    b: np.ndarray
    metrics: dict[str, np.ndarray]


@dataclass(frozen=True)
class Cluster:
    """A cluster.

    Attributes:
        key: of the stratum, then its number in every plane on the way to it, "noise" for what is in none.
        size: its fractions.
        centre: medians of the metrics.
        settled: whether all samples agreed, so that the members carry their label without having been looked at.
        constants: how many of the fractions that were looked at are in terms of which constant; "" is none of those in the list.
        formulas: examples, stated from 150 digits and checked to 200.
    """

    key: str
    size: int
    centre: dict[str, float]
    settled: bool
    constants: dict[str, int]
    formulas: tuple[Formula, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Survey:
    """A stratum, surveyed.

    Attributes:
        rows: (P,) as in the stratum.
        cluster: (P,) position in `clusters`.
        label: (P,) the constant of each fraction, `NONE` ("", none in the list) or `UNSEEN` ("?", not looked at, or no digits to be had).
        clusters: by number.
    """

    rows: np.ndarray
    cluster: np.ndarray
    label: np.ndarray
    clusters: tuple[Cluster, ...]


def survey(stratum: Stratum) -> Survey:
    """Cluster a stratum and label its fractions.

    >>> from symnum.numbers.dynamics import metrics
    >>> a, b = np.array([[2, 1], [2, 3], [2, 5]]), np.array([[1, 0, 0], [1, 2, 0], [1, 4, 4]])
    >>> found = metrics(a, b, 128)
    >>> planes = {"leading_delta": found.leading_delta, "d": found.d, "c": found.c, "conv_c": found.conv_c, "conv_d": found.conv_d}
    >>> found = survey(Stratum((1, 2, 2, 1), np.arange(3), a, b, planes))
    >>> [(c.size, c.constants, c.formulas[0].text) for c in found.clusters]
    [(3, {'pi': 3}, '4/pi')]
    """
    looker = _Looker(stratum)
    cluster, label, described = np.full(len(stratum.rows), -1), np.full(len(stratum.rows), UNSEEN, dtype=object), []
    for path, members, settled in _groups(stratum, looker, np.arange(len(stratum.rows)), ()):
        seen = {i: looker.label(i) for i in (_samples(members) if settled else _spaced(members, MOST_MEMBERS))}
        counts = Counter(name for name in seen.values() if name != UNSEEN)
        label[members] = next(iter(counts), UNSEEN) if settled else UNSEEN
        for i, name in seen.items():
            label[i] = name
        cluster[members] = len(described)
        described.append(Cluster(
            " ".join(map(str, stratum.key)) + "".join(f" / {step}" for step in path), len(members),
            {name: float(np.median(column[members])) for name, column in stratum.metrics.items()}, settled,
            dict(sorted(counts.items(), key=lambda item: (-item[1], item[0]))), tuple(_examples(looker, seen))))
    return Survey(stratum.rows, cluster, label.astype(str), tuple(described))


class _Looker:
    """Labels of the fractions of a stratum; each is looked at once. Constants met before are tried first."""

    def __init__(self, stratum: Stratum):
        self.stratum, self.found, self.names = stratum, {}, list(NAMES)

    def fraction(self, i: int) -> PCF:
        return PCF(tuple(map(int, self.stratum.a[i])), tuple(map(int, self.stratum.b[i])))

    def label(self, i: int) -> str:
        if i not in self.found:
            name = screened(self.fraction(i), self.names)
            if name in self.names:
                self.names.remove(name)
                self.names.insert(0, name)
            self.found[i] = name
        return self.found[i]


def _groups(stratum: Stratum, looker: _Looker, members: np.ndarray, path: Path) -> Iterator[tuple[Path, np.ndarray, bool]]:
    """(path, members, settled) of the clusters, those of the next plane in place of one whose samples disagree."""
    plane = len(path)
    found = clusters(np.column_stack([stratum.metrics[name][members] for name in PLANES[plane]]))
    if found is None:  # shattered: the plane says nothing
        found = np.zeros(len(members), int)
    for k in range(found.max() + 1):
        inside, step = members[found == k], (*path, str(k))
        if len({looker.label(i) for i in _samples(inside)} - {UNSEEN}) <= 1:
            yield step, inside, True
        elif len(step) < len(PLANES):
            yield from _groups(stratum, looker, inside, step)
        else:
            yield step, inside, False
    if (found == NOISE).any():
        yield (*path, "noise"), members[found == NOISE], False


def _samples(members: np.ndarray) -> list[int]:
    return members.tolist() if len(members) <= SMALL else _spaced(members, SAMPLES)


def _spaced(members: np.ndarray, most: int) -> list[int]:
    """At most so many of them, evenly spaced."""
    return members[np.unique(np.linspace(0, len(members) - 1, min(most, len(members))).round().astype(int))].tolist()


def _examples(looker: _Looker, seen: dict[int, str]) -> Iterator[Formula]:
    """Formulas of the fractions with the smallest coefficients, a few per constant."""
    by_size = sorted(seen, key=lambda i: (int(np.abs(looker.stratum.a[i]).sum() + np.abs(looker.stratum.b[i]).sum()), i))
    for name in sorted({*seen.values()} - {NONE, UNSEEN}):
        formulas = (stated(looker.fraction(i), name) for i in [i for i in by_size if seen[i] == name][:ATTEMPTS])
        yield from islice((f for f in formulas if f is not None), EXAMPLES)
