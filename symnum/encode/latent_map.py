"""A picture of the space where laws and data meet: random laws in two dimensions, coloured by a property.

The analysis figure of SNIP (Meidani, Shojaee, Reddy & Barati Farimani, ICLR 2024, arXiv:2310.02227): where neighbours have
one colour, the embedding knows the property. It needs matplotlib, which `pip install 'symnum[report]'` brings.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symnum.encode.properties import CURVE, PROPERTIES
from symnum.language.batch import Batch
from symnum.language.grammar_check import near

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from symnum.encode.public import Encoder

LAWS = 1000
ALIASES = {"ncr": "non_convexity"}
COLOURS = (*PROPERTIES, "length")
ROWS = 64
COLUMNS = 3  # of laws whose colour is no property of a curve
PERPLEXITY = 30.0  # neighbours that t-SNE looks at, the usual number; fewer where there are few laws


@dataclass(frozen=True, slots=True)
class LatentMap:
    """Laws on a plane.

    Attributes:
        laws: P of them.
        points: (P, 2), neighbours in the space being neighbours here.
        values: (P,) the property that gives the colour.
        colour: its name.
    """

    laws: Batch
    points: np.ndarray
    values: np.ndarray
    colour: str

    def plot(self, path: str | Path | None = None) -> "Figure":
        """The map as a figure, saved where a path is given.

        Raises:
            ImportError: matplotlib is not installed; the message has the pip line.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            msg = "the map requires matplotlib: pip install 'symnum[report]'"
            raise ImportError(msg) from error
        figure = Figure(figsize=(7.0, 6.0), layout="constrained")
        axes = figure.subplots()
        marks = axes.scatter(*self.points.T, c=self.values, s=10, cmap="viridis", linewidths=0)
        figure.colorbar(marks, label=self.colour.replace("_", " "))
        axes.set(xticks=[], yticks=[], title=f"{len(self.laws)} random laws, embedded (t-SNE)")
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def latent_map(encoder: "Encoder", colour: str = "non_convexity", laws: int = LAWS, seed: int = 0) -> LatentMap:
    """Random laws of the corpus, embedded and laid out by t-SNE (van der Maaten & Hinton 2008, JMLR 9:2579).

    Args:
        encoder: embeds the laws, their constants included.
        colour: a property of `properties.PROPERTIES`, `ncr` (non_convexity) or `length` (tokens). Laws are of one column for
            the properties of a curve, else of at most three.
        laws: how many are drawn; those for which the property means nothing are left out.
        seed: of the laws and of the layout.

    Raises:
        ValueError: an unknown colour, or too few laws.
    """
    colour = check_colour(colour)
    if laws < 8:
        msg = f"at least 8 laws were required, got {laws}"
        raise ValueError(msg)
    from sklearn.manifold import TSNE

    from symnum.encode.corpus import Corpus

    drawn = Corpus(seed, variables=1 if colour in CURVE else COLUMNS, rows=ROWS, views=1, edits=0).minibatch(0, laws)
    values = drawn.length.astype(float) if colour == "length" else drawn.properties[:, PROPERTIES.index(colour)]
    known = np.flatnonzero(np.isfinite(values))
    if len(known) < 4:
        msg = f"at least 4 laws that have a value of {colour} were required, got {len(known)} of {laws}; draw more"
        raise ValueError(msg)
    chosen = drawn.expressions.take(known)
    vectors = encoder.embed_expressions(chosen)
    layout = TSNE(perplexity=min(PERPLEXITY, (len(known) - 1) / 3), init="pca", random_state=seed)
    return LatentMap(chosen, layout.fit_transform(vectors), values[known], colour)


def check_colour(colour: str) -> str:
    """The full name of a colour.

    Raises:
        ValueError: there is none of this name.

    >>> check_colour("ncr")
    'non_convexity'
    """
    found = ALIASES.get(colour, colour)
    if found not in COLOURS:
        msg = f"one of {', '.join((*ALIASES, *COLOURS))} was required as colour, got {colour!r}{near(colour, COLOURS)}"
        raise ValueError(msg)
    return found
