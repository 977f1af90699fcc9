"""The default mixture of searches under one budget and one front: enumeration first and beside, evolution on islands.

Some islands look at the target itself, one each through the inverse of an operator (log y, y², 1/y …) where the data and
the grammar allow it: what is a product or a root in y may be a sum there.
"""

from symnum.search.base import Context, Search
from symnum.search.enumerate import Enumeration
from symnum.search.evolve import Evolution

PLAIN = 2  # islands on the target itself


def default_portfolio(context: Context) -> tuple[Search, ...]:
    """One enumeration, `PLAIN` islands, and one island per view."""
    return (Enumeration(), *(Evolution() for _ in range(PLAIN)), *(Evolution(view=view) for view in context.views))
