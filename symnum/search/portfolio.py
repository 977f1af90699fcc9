"""The default mixture of searches under one budget and one front.

Inversion and structure answer first where the law is near at hand; enumeration goes through everything, simplest first;
islands of evolution look at the target itself, and one each through the inverse of an operator (log y, y², 1/y …) where the
data and the grammar allow it: what is a product or a root in y may be a sum there.
"""

from symnum.search.base import Context, Search
from symnum.search.enumerate import Enumeration
from symnum.search.evolve import Evolution
from symnum.search.invert import Inversion
from symnum.search.reduce import Structure

PLAIN = 2  # islands on the target itself
SEEN_THROUGH = ("log", "inv", "square", "sqrt", "exp")  # inverses that an island is worth, most telling first
VIEWS = 3  # islands that look through one


def default_portfolio(context: Context) -> tuple[Search, ...]:
    """Inversion, structure, one enumeration, `PLAIN` islands, and islands through the first few views."""
    through = [v for v in SEEN_THROUGH if v in context.views][:VIEWS]
    islands = (*(Evolution() for _ in range(PLAIN)), *(Evolution(view=view) for view in through))
    return (Inversion(), Structure(), Enumeration(), *islands)
