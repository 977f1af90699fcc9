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
from symnum.search.retrieve import Retrieval

GUIDED = 1  # … of which an encoder guides one, where there is an encoder
PLAIN = 2  # islands on the target itself
SEEN_THROUGH = ("log", "inv", "square", "sqrt", "exp")  # inverses that an island is worth, most telling first
VIEWS = 3  # islands that look through one


def default_portfolio(context: Context) -> tuple[Search, ...]:
    """Inversion, structure, one enumeration, `PLAIN` islands, and islands through the first few views; and what a guide is for."""
    uses = context.guide.uses if context.guide is not None else frozenset()
    through = [v for v in SEEN_THROUGH if v in context.views][:VIEWS]
    guided = {"guided": "prior" in uses, "prunes": "pruning" in uses}
    plain = (Evolution(**guided) if i < GUIDED else Evolution() for i in range(PLAIN))
    islands = (*plain, *(Evolution(view=view, **guided) for view in through))
    seeds = (Retrieval(),) if "seeds" in uses else ()
    narrowed = (Inversion(narrowed=True),) if "prior" in uses else ()
    return (Inversion(), Structure(), *seeds, *narrowed, Enumeration(), *islands)
