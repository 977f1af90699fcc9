"""Pictures of a census: its fractions in the planes of their metrics, coloured by constant."""

from collections import Counter
from pathlib import Path

import numpy as np

from symnum.conjecture.census.census import Census
from symnum.conjecture.census.clusters import PLANES
from symnum.conjecture.census.constants import NONE, UNSEEN

COLOURS = 10  # constants told apart by colour, the most frequent ones; the others share one
WINDOW = 0.001, 0.999  # quantiles that the axes reach from and to: a few slow fractions lie far out
AXES = {"leading_delta": "δ (leading terms)", "d": "d", "c": "c", "conv_c": "c of the error", "conv_d": "d of the error"}


def plot(census: Census, path: str | Path | None = None) -> Path:
    """Draw the planes in which the census was clustered into a file, planes.png of the run folder by default.

    Raises:
        ImportError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = 'matplotlib was required to draw, it is not installed: pip install "symnum[report]"'
        raise ImportError(msg) from error
    path = Path(path) if path is not None else census.folder / "planes.png"
    table = census.table
    drawn = np.isfinite([table[name] for plane in PLANES for name in plane]).all(axis=0)
    label = table["label"][drawn]
    named, size = (label != NONE) & (label != UNSEEN), float(np.clip(2e5 / max(len(label), 1), 0.3, 30))
    frequent = [name for name, _ in Counter(label[named].tolist()).most_common(COLOURS)]
    figure = Figure(figsize=(13, 10), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, plane in zip(figure.subplots(2, 2).flat, PLANES, strict=True):
        x, y = (table[name][drawn] for name in plane)
        axes.scatter(x, y, s=size, c="0.75", marker=".", linewidths=0, rasterized=True)
        axes.scatter(x[named], y[named], s=4 * size, c="0.35", marker=".", linewidths=0, label="other constants")
        for i, name in enumerate(frequent):
            axes.scatter(x[label == name], y[label == name], s=6 * size, color=f"C{i}", marker=".", linewidths=0,
                         label="rational" if name == "1" else name)
        for column, limits in ((x, axes.set_xlim), (y, axes.set_ylim)):
            low, high = np.quantile(column, WINDOW)
            limits(low - 0.05 * (high - low) - 0.01, high + 0.05 * (high - low) + 0.01)
        axes.set_xlabel(AXES[plane[0]])
        axes.set_ylabel(AXES[plane[1]])
    figure.axes[0].legend(markerscale=max(1.0, 4 / size**0.5), fontsize="small", loc="best")
    figure.suptitle(f"Polynomial continued fractions of degree ≤ {census.domain.degree}, coefficients up to {census.domain.range}: "
                    f"{int(drawn.sum())} measured")
    figure.savefig(path, dpi=150)
    return path
