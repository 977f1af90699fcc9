"""The limit of a polynomial continued fraction as a proven ball, by whichever argument gives the most digits for the fewest terms."""

from flint import arb

from symnum.numbers.even_part import even_ball
from symnum.numbers.pcf import MAX_DEPTH, PCF
from symnum.numbers.pcf_tail import tail_ball


def limit(pcf: PCF, digits: int, depth: int = MAX_DEPTH) -> arb | None:
    """The limit as a proven ball of that many digits, or of as many as can be proven; None where nothing is.

    Fractions that converge like a power of n have their tails enclosed by rational functions (`tail_ball`; `even_ball` where b outgrows
    a²); the others are enclosed by at most `depth` terms (`PCF.ball`).

    >>> limit(PCF((2, 3, 3, 1), (-1, 0, 0, 0, 0, 0, 0)), 30).str(20, radius=False)      # 1/zeta(3)
    '0.83190737258070746868'
    >>> limit(PCF((2,), (4, -4, 1)), 30).str(20, radius=False)                          # 1 + 4/pi
    '2.2732395447351626862'
    """
    for enclosed in (tail_ball, even_ball):
        value = enclosed(pcf, digits)
        if value is not None:
            return value
    if pcf.last_term is not None or pcf.proven_from is None:
        return None
    value = pcf.ball(digits, depth)
    return value if value.is_finite() else None
