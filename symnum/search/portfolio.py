"""The default mixture of searches under one budget and one front: enumeration first and beside, evolution on islands."""

from symnum.search.base import Search
from symnum.search.enumerate import Enumeration
from symnum.search.evolve import Evolution


def default_portfolio(islands: int = 4) -> tuple[Search, ...]:
    """One enumeration and `islands` islands.

    >>> [s.name for s in default_portfolio(2)]
    ['enumeration', 'evolution', 'evolution']
    """
    return (Enumeration(), *(Evolution() for _ in range(islands)))
