"""The search for polynomial continued fractions of constants: domain → screening → match → proven balls → relation → ledger.

Blocks of a domain are screened by compiled code in threads; what may be a Möbius image of a constant, and what converges so slowly that
only exact filters tell, is confirmed on proven balls, one by one, in the order of the domain. Each block and the cursor behind it
are one transaction of the ledger, so that a run that is killed goes on where it stood and ends with the same relations, whatever the
number of threads. (The search follows G. Raayoni et al., "Generating conjectures on fundamental constants with the Ramanujan
Machine", Nature 590, 2021, doi:10.1038/s41586-021-03229-4, with other algorithms at every stage.)
"""

import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from symnum.conjecture.fractions.block import Block, run_block
from symnum.conjecture.fractions.confirm import Confirmation
from symnum.conjecture.fractions.run import PcfRun
from symnum.numbers import formula
from symnum.numbers.ledger import Ledger
from symnum.numbers.pcf_domain import Domain
from symnum.numbers.pcf_match import Images, constant_ball
from symnum.numbers.relation import integer_relation

LARGEST = 10 ** 11  # pairs that are searched without a time limit: hours
PAIRS_PER_SECOND = {False: 20e6, True: 2e5}  # of one thread: by value, and jointly
MOST_DIGITS = 2000
MOST_CONSTANTS = 12
Progress = Callable[[int, int, int], None]


def conjecture_pcf(
    constant: str | Sequence[str] = "zeta(3)", a_degree: int = 1, b_degree: int = 2, coefficients: int | tuple[int, int] = 5, *,
    domain: Domain | None = None, family: str = "auto", joint: bool = False, lhs: int = 20, digits: int = 100,
    out: str | Path | None = None, resume: bool = False, threads: int | None = None, time_limit: float | None = None,
    progress: Progress | None = None,
) -> PcfRun:
    """Continued fractions with polynomial terms whose value is (αc + β)/(γc + δ) for a constant c.

    Args:
        constant: a formula such as "zeta(3)", or several, which share the screening.
        a_degree, b_degree, coefficients: the largest degrees, and the largest coefficient or the range of coefficients.
        domain: what to search, in place of degrees and coefficients.
        family: which pairs of those degrees: see `Domain.auto`.
        joint: look for relations to all constants at once, v = (α₀ + α₁c₁ + …)/(γ₀ + γ₁c₁ + …); only fractions whose
            recurrence passes the filter for values such as π, logarithms and ζ(n), see `symnum.numbers.pcf_filter`.
        lhs: the largest |α|, |β|, |γ|, |δ|, up to 30. (Fractions that converge like a power of n are not held to it.)
        digits: to which relations are confirmed.
        out: the run folder; nothing is kept without one.
        resume: go on with the run in `out`.
        threads: all cores by default; the result does not depend on it.
        time_limit: seconds; the run can be resumed.
        progress: called with blocks done, blocks in all, relations found.

    Raises:
        ValueError: a constant is unknown or rational, the domain is empty or larger than 10^11 pairs without a time limit, or an
            option is out of range; the folder holds another run.
        OSError: the folder cannot be written, or another process writes it.

    >>> run = conjecture_pcf("e", 1, 1, 3, lhs=3, digits=50)
    >>> [r.text for r in run.relations if r.formula == "e"]
    ['e = 3 - 1/(4 - 2/(5 - 3/(6 - 4/(7 - ...))))']
    """
    constants = _constants(constant, joint)
    domain = domain or Domain.auto(a_degree, b_degree, coefficients, family)
    threads = _check(domain, digits, joint, threads, time_limit)
    if resume and out is None:
        raise ValueError("the folder of the run was required to resume it, as out")
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            return _search(domain, constants, joint, lhs, digits, Path(folder), False, threads, time_limit, progress)
    return _search(domain, constants, joint, lhs, digits, Path(out), resume, threads, time_limit, progress)


def expected_seconds(domain: Domain, joint: bool = False, threads: int | None = None) -> float:
    """About how long the screening of a domain takes."""
    return domain.size / PAIRS_PER_SECOND[joint] / (threads or os.cpu_count() or 1)


def _constants(constant: str | Sequence[str], joint: bool) -> tuple[str, ...]:
    constants = (constant,) if isinstance(constant, str) else tuple(dict.fromkeys(constant))
    if not 1 <= len(constants) <= MOST_CONSTANTS:
        msg = f"1 to {MOST_CONSTANTS} constants were required, got {len(constants)}"
        raise ValueError(msg)
    for c in constants:
        if formula.ball(c, 20).is_exact():
            msg = f"an irrational constant was required, got {c} = {formula.ball(c, 20).str(15, radius=False)}: a rational number"
            raise ValueError(msg)
        found = integer_relation([constant_ball(c, 60), formula.ball("1", 60)], 60)
        if found is not None and found.accepted:
            q, p = found.coefficients
            fraction = f"{-p}/{q}" if abs(q) != 1 else f"{-p * q}"
            msg = f"an irrational constant was required, got {c} = {fraction}, on 60 digits: a rational number"
            raise ValueError(msg)
    if joint and len(constants) > 1:
        found = integer_relation([formula.ball("1", 200), *(constant_ball(c, 200) for c in constants)], 200)
        if found is not None and found.accepted:
            msg = f"constants without a relation among them were required for a joint search, got {', '.join(constants)}: " \
                  f"coefficients {found.coefficients} with 1 in front; leave one out"
            raise ValueError(msg)
    return constants


def _check(domain: Domain, digits: int, joint: bool, threads: int | None, time_limit: float | None) -> int:
    """The number of threads, after the options have been looked at."""
    if not 30 <= digits <= MOST_DIGITS:
        msg = f"30 to {MOST_DIGITS} digits were required, got {digits}"
        raise ValueError(msg)
    if threads is not None and threads < 1:
        msg = f"at least one thread was required, got {threads}"
        raise ValueError(msg)
    if time_limit is not None and not time_limit > 0:
        msg = f"a time above 0 seconds was required, got {time_limit}"
        raise ValueError(msg)
    threads = threads or os.cpu_count() or 1
    if domain.size > LARGEST and time_limit is None:
        days = expected_seconds(domain, joint, threads) / 86400
        msg = f"at most {LARGEST:.0e} pairs were required without a time limit, the domain has {domain.size} ({days:.3g} days); " \
              "take smaller ranges, a structured family (symmetric, monomial, or templates for a and b), or a time limit"
        raise ValueError(msg)
    return threads


def _search(domain: Domain, constants: tuple[str, ...], joint: bool, lhs: int, digits: int, folder: Path, resume: bool,
            threads: int, time_limit: float | None, progress: Progress | None) -> PcfRun:
    images = None if joint else Images.of(constants, lhs)
    asked = {"domain": domain.describe(), "constants": list(constants), "joint": joint, "lhs": lhs, "digits": digits}
    begun = time.monotonic()
    with Ledger.open(folder, "pcf", asked, resume) as ledger:
        view = Ledger.read(folder)
        confirm = Confirmation(constants, images, digits, found=len(view.relations()))
        first = ledger.cursor or 0
        with closing(_blocks(domain, images, range(first, domain.blocks), threads)) as blocks:
            for k, block in enumerate(blocks, first):
                with ledger.step(k + 1) as step:
                    confirm.add(step, block)
                if progress is not None:
                    progress(k + 1, domain.blocks, confirm.found)
                if time_limit is not None and time.monotonic() - begun > time_limit:
                    break
        if ledger.cursor == domain.blocks and not ledger.finished:
            ledger.finish(_searched(domain, constants, joint, lhs, confirm.found))
        return PcfRun.of(view, domain, constants, time.monotonic() - begun)


def _searched(domain: Domain, constants: tuple[str, ...], joint: bool, lhs: int, found: int) -> str:
    wanted = " with ".join(constants) if joint else f"{', '.join(constants)}, |coefficients| ≤ {lhs}"
    return f"{domain}: {domain.size} pairs, for {wanted}: {found or 'no'} relation{'s' * (found != 1)}"


def _blocks(domain: Domain, images: Images | None, which: range, threads: int) -> Iterator[Block]:
    """The blocks in their order, some of which are worked out ahead."""
    sieve = None if images is None else images.sieve
    pool = ThreadPoolExecutor(threads)
    try:
        waiting: deque = deque()
        for k in which:
            waiting.append(pool.submit(run_block, domain, k, sieve))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
