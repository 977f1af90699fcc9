"""Pruning: of candidates with constants to fit, those that look unlike the data to an encoder are not fitted.

A fit takes ten passes over the data and more, a look at a changed path of a tree a few. Whether that pays is measured, not
assumed: of what would be pruned a random sample is fitted all the same, and where the kept do not succeed enough more often
than this control for the looks to be worth their price, pruning ends for the rest of the search.

    kept share k, success s_k of the kept and s_c of the control; price of a fit 1, of a look p:
    pruning pays where  k s_k / (p + k) > k s_k + (1 - k) s_c
"""

from dataclasses import dataclass, field, replace

import numpy as np

from symnum.language.batch import Batch

KEPT = 0.5  # share of the candidates with constants that is fitted
CONTROL = 0.1  # share of the others that is fitted too
TRIAL = 2000  # candidates looked at before it is decided
PRICE = 3.0  # passes over 200 rows that a look costs, measured
PASSES, ROWS = 10.0, 200  # of a fit


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is known of its worth.

    Attributes:
        on: whether it goes on.
        kept, control: candidates fitted of each kind; `kept_good`, `control_good`: those among them that succeeded.
        asked: (n,) hashes of the skeletons asked last, sorted; control_asked: those of the control.
    """

    on: bool = True
    kept: int = 0
    kept_good: int = 0
    control: int = 0
    control_good: int = 0
    asked: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    control_asked: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))

    def choose(self, batch: Batch, cosine: np.ndarray, rng: np.random.Generator) -> tuple["Pruning", np.ndarray]:
        """Which candidates (P,) to measure, given the cosines (P,) of those with constants (NaN for the others, which are cheap)."""
        costly = np.flatnonzero(np.isfinite(cosine))
        order = costly[np.argsort(-cosine[costly], kind="stable")]
        first, rest = np.split(order, [int(np.ceil(KEPT * len(order)))])
        control = rest[rng.random(len(rest)) < CONTROL]
        chosen = np.isnan(cosine)
        chosen[first], chosen[control] = True, True
        hashes = batch.skeleton_hash()
        return replace(self, asked=np.sort(hashes[first]), control_asked=np.sort(hashes[control])), chosen

    def told(self, batch: Batch, good: np.ndarray, rows: int) -> "Pruning":
        """Learn which of the candidates (P,) succeeded; ends where looking has not paid over the trial."""
        hashes = batch.skeleton_hash()
        kept, control = np.isin(hashes, self.asked), np.isin(hashes, self.control_asked)
        counts = [self.kept + kept.sum(), self.kept_good + good[kept].sum(), self.control + control.sum(),
                  self.control_good + good[control].sum()]
        new = Pruning(self.on, *map(int, counts))
        return new if new.kept + new.control / CONTROL < TRIAL or new.pays(rows) else replace(new, on=False)

    def pays(self, rows: int) -> bool:
        """Whether the successes per price are more than they would be without.

        >>> Pruning(kept=1000, kept_good=200, control=100, control_good=2).pays(200)
        True
        >>> Pruning(kept=1000, kept_good=100, control=100, control_good=10).pays(200)
        False
        """
        kept = self.kept_good / max(self.kept, 1)
        control = self.control_good / max(self.control, 1)
        price = PRICE * ROWS / (PASSES * rows)
        return KEPT * kept / (price + KEPT) > KEPT * kept + (1 - KEPT) * control
