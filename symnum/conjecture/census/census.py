"""The unsupervised census: all polynomial continued fractions of a domain, their dynamics, their clusters, and the constants in each.

    symnum conjecture census --degree 2 --range 5 --out run/

After M. Shalyt et al., "Unsupervised Discovery of Formulas for Mathematical Constants", NeurIPS 2024, arXiv:2412.16818. No constant is
asked for: fractions are grouped by the metrics of `symnum.numbers.dynamics` alone, and only then a few of each group are compared with a
list of constants. A run folder holds

    ledger.sqlite     counters, the cursor, the clusters (as candidates) and their formulas (as relations)
    blocks/*.npz      fractions and metrics, one file per block of the domain
    strata/*.npz      cluster and label of the fractions, one file per stratum

and can be killed at any time: a file is whole or not there, and the ledger's cursor is behind it.
"""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from symnum.conjecture.census.clusters import PLANES, strata
from symnum.conjecture.census.constants import NONE, UNSEEN
from symnum.conjecture.census.domain import Domain
from symnum.conjecture.census.survey import Stratum, Survey, survey
from symnum.numbers.dynamics import DEPTH, NAMES, Kind, metrics
from symnum.numbers.equivalence import primitive
from symnum.numbers.known import known
from symnum.numbers.ledger import Ledger
from symnum.numbers.pcf import PCF

MOST_DEPTH = 10_000  # the time for the exact numerators and denominators grows like its square
SHOWN = tuple(dict.fromkeys(name for plane in PLANES for name in plane))
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Census:
    """A finished census, as it lies in its run folder; read one with `Census.read`.

    Attributes:
        folder: the run folder.
        domain: what was searched.
        counters: fractions of the domain by what became of them, and milliseconds by part.
        clusters: in the order of their strata, each a dict: key, size, centre, settled, constants; see `survey.Cluster`.
        formulas: the stated formulas, as in the ledger.
    """

    folder: Path
    domain: Domain
    counters: dict[str, int]
    clusters: tuple[dict[str, Any], ...]
    formulas: tuple[dict[str, Any], ...]

    @classmethod
    def read(cls, folder: str | Path) -> "Census":
        """The census in a run folder.

        Raises:
            ValueError: the folder holds none, or one that is not finished.
        """
        view = Ledger.read(folder)
        run = view.runs()[-1]
        if run["task"] != "census" or not view.finished:
            held = "an unfinished one; go on with it by --resume" if run["task"] == "census" else f"a run of {run['task']}"
            msg = f"the folder of a finished census was required, {folder} holds {held}"
            raise ValueError(msg)
        described = run["domain"] if isinstance(run["domain"], dict) else json.loads(run["domain"])
        return cls(Path(folder), Domain(described["degree"], described["range"]), view.counters,
                   tuple(c["data"] | {"key": c["key"]} for c in view.candidates()), tuple(view.relations()))

    @cached_property
    def table(self) -> dict[str, np.ndarray]:
        """One row per fraction measured: a, b (P, k), the metrics, `cluster` (its key), `label` (the constant; "" none, "?" unseen)."""
        columns = _stacked(self.folder / "blocks")
        rows = len(columns["a"])
        columns |= {"cluster": np.full(rows, "", dtype=object), "label": np.full(rows, UNSEEN, dtype=object)}
        for path in sorted((self.folder / "strata").glob("*.npz")):
            with np.load(path) as part:
                columns["cluster"][part["rows"]] = part["keys"][part["cluster"]].astype(object)
                columns["label"][part["rows"]] = part["label"].astype(object)
        return columns

    def label(self, fraction: PCF) -> str | None:
        """The constant that the census gives a fraction: "" for none in its list; None where it was not measured or not looked at.

        A mirrored fraction has the label of its image, an inflated one that of the fraction it was inflated from.
        """
        small = primitive(fraction)
        row = self._position.get((_padded(small.a, self.domain.degree), _padded(small.b, self.domain.degree)))
        return None if row is None or self.table["label"][row] == UNSEEN else str(self.table["label"][row])

    @cached_property
    def _position(self) -> dict[tuple, int]:
        return {(tuple(a), tuple(b)): i for i, (a, b) in enumerate(zip(self.table["a"].tolist(), self.table["b"].tolist(), strict=True))}

    def __str__(self) -> str:
        lines = [", ".join(f"{name} {k}" for name, k in self.counters.items() if not name.endswith("_ms")),
                 f"{'constant':<46}{'clusters':>9}{'seen':>7}  example"]
        constants: dict[str, list[int]] = {}
        for cluster in self.clusters:
            for name, k in cluster["constants"].items():
                if name:
                    row = constants.setdefault(name, [0, 0])
                    row[0], row[1] = row[0] + 1, row[1] + k
        examples = {name: example for cluster in self.clusters for name, example in cluster["examples"].items()}
        for name, (number, seen) in sorted(constants.items(), key=lambda item: -item[1][1]):
            lines.append(f"{name:<46}{number:>9}{seen:>7}  {examples.get(name, '')}")
        return "\n".join(lines)


def census(degree: int = 2, coefficients: int = 5, out: str | Path = "run", resume: bool = False, *, depth: int = DEPTH,
           threads: int | None = None, progress: Progress | None = None) -> Census:
    """Measure, cluster and label all fractions of a domain.

    Args:
        degree: of a and b, at most.
        coefficients: from minus this to this.
        out: the run folder.
        resume: go on with the run in it.
        depth: terms at which the metrics are taken.
        threads: processes; all cores by default. They are started afresh, so that a script calls this under `if __name__ == "__main__":`.
        progress: called with the part ("metrics", "clusters"), how much of it is done and how much there is.

    Raises:
        ValueError: an empty or too large domain, or a folder that holds another run.
        OSError: the folder cannot be written, or another process writes it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = census(0, 1, folder, threads=1)
    ...     print(found.counters["fractions"], found.label(PCF((1,), (1,))), [f["formula"] for f in found.formulas])
    4 sqrt(5) ['(1 + sqrt(5))/2']
    """
    domain = Domain(degree, coefficients)
    if not 128 <= depth <= MOST_DEPTH or (threads is not None and threads < 1):
        msg = f"a depth from 128 to {MOST_DEPTH} and processes from 1 on were required, got depth {depth}, {threads} processes"
        raise ValueError(msg)
    folder = Path(out)
    with Ledger.open(folder, "census", {"degree": degree, "range": coefficients, "depth": depth}, resume) as ledger:
        if not ledger.finished:
            with _workers(threads, domain.blocks) as run:
                _measure(ledger, domain, depth, folder, run, progress)
                _survey(ledger, folder, run, progress)
            found = Ledger.read(folder)
            ledger.finish(f"a, b of degree up to {degree}, coefficients up to {coefficients}: "
                          f"{sum(1 for _ in found.candidates())} clusters, {len(found.relations())} formulas")
    return Census.read(folder)


# the two parts ----------------------------------------------------------------------------------------------------------
def _measure(ledger: Ledger, domain: Domain, depth: int, folder: Path, run, progress: Progress | None) -> None:
    """The metrics of all blocks."""
    done, started = (ledger.cursor or {"blocks": 0})["blocks"], time.monotonic()
    for number, (columns, counts) in enumerate(run(partial(_block, domain, depth), range(done, domain.blocks)), done):
        _save(folder / "blocks" / f"{number:05d}.npz", columns)
        started, passed = time.monotonic(), time.monotonic() - started
        with ledger.step({"blocks": number + 1, "strata": 0}) as step:
            for name, k in (counts | {"metrics_ms": round(1000 * passed)}).items():
                step.count(name, k)
        if progress:
            progress("metrics", number + 1, domain.blocks)


def _block(domain: Domain, depth: int, number: int) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    a, b, counts = domain.block(number)
    found = metrics(a, b, depth)
    columns = {"a": a.astype(np.int16), "b": b.astype(np.int16)}
    for name in NAMES:
        column = getattr(found, name)
        columns[name] = column.astype(np.float32) if column.dtype == float and name != "value" else column
    converging = int((found.kind >= Kind.POLYNOMIAL).sum())
    return columns, counts | {"divergent": 2 * (len(a) - converging), "converging": 2 * converging}


def _survey(ledger: Ledger, folder: Path, run, progress: Progress | None) -> None:
    """Clusters and constants of all strata."""
    started = time.monotonic()
    todo = list(_strata(folder))
    cursor = ledger.cursor
    done = cursor["strata"]
    for number, found in enumerate(run(survey, todo[done:]), done):
        keys = np.array([c.key for c in found.clusters])
        _save(folder / "strata" / f"{number:05d}.npz", {"rows": found.rows, "cluster": found.cluster, "label": found.label, "keys": keys})
        started, passed = time.monotonic(), time.monotonic() - started
        with ledger.step(cursor | {"strata": number + 1}) as step:
            _record(step, found)
            step.count("clusters_ms", round(1000 * passed))
        if progress:
            progress("clusters", number + 1, len(todo))


def _strata(folder: Path) -> Iterator[Stratum]:
    """The strata of what was measured and has all metrics of the planes."""
    columns = _stacked(folder / "blocks")
    finite = np.flatnonzero(np.isfinite([columns[name] for name in SHOWN]).all(axis=0))
    keys, inverse = np.unique(strata(columns["a"][finite], columns["b"][finite]), axis=0, return_inverse=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    ends = np.cumsum(np.bincount(inverse.ravel(), minlength=len(keys)))
    for key, first, last in zip(keys.tolist(), [0, *ends[:-1]], ends, strict=True):
        rows = finite[order[first:last]]
        yield Stratum(tuple(key), rows, columns["a"][rows], columns["b"][rows], {name: columns[name][rows].astype(float) for name in SHOWN})


def _record(step, found: Survey) -> None:
    """The clusters of a stratum and their formulas, into the ledger."""
    for c in found.clusters:
        examples = {f.constant: f"{f.fraction.text}: {f.text}" for f in reversed(c.formulas)}  # the first, the simplest, of each
        step.candidate(c.key, {"size": c.size, "centre": c.centre, "settled": c.settled, "constants": c.constants, "examples": examples})
        for f in c.formulas:
            source = known(f.fraction) or ""
            step.relation(f.fraction.text, f.text, f.relation.coefficients, list(f.basis), f.digits, f.relation.needed, f.value,
                          status="known" if source else "conjecture", reason=f"{f.constant}, in cluster {c.key}", source=source)
    step.count("clusters", sum("noise" not in c.key for c in found.clusters))
    step.count("formulas", sum(len(c.formulas) for c in found.clusters))
    step.count("labelled", int(np.isin(found.label, [NONE, UNSEEN], invert=True).sum()))


# files and processes ----------------------------------------------------------------------------------------------------
def _save(path: Path, columns: dict[str, np.ndarray]) -> None:
    """Write a file so that it is whole or not there."""
    path.parent.mkdir(exist_ok=True)
    half = path.with_suffix(".half")
    with half.open("wb") as file:
        np.savez(file, **columns)
    half.replace(path)


def _stacked(folder: Path) -> dict[str, np.ndarray]:
    parts = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as part:
            parts.append(dict(part))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _padded(c: tuple[int, ...], degree: int) -> tuple[int, ...]:
    return (0,) * (degree + 1 - len(c)) + c


@contextmanager
def _workers(threads: int | None, tasks: int):
    """A map over processes that keeps the order; in this process where there is little to do."""
    threads = threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads or os.cpu_count() or 1
    if min(threads, tasks) == 1:
        yield map
        return
    import multiprocessing

    pool = ProcessPoolExecutor(threads, multiprocessing.get_context("spawn"), initializer=_follow_parent)
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)


def _follow_parent() -> None:
    """A worker leaves an interruption to its parent, and ends when the parent was killed."""
    import multiprocessing
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
