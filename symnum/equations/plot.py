"""Pictures of a discovered system: what was measured beside what it predicts, and the front of every equation.

    figure = plot_ode(ode, "run.png")

They need matplotlib, which `pip install 'symnum[report]'` brings.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from symnum.dynamics.refine import Piece, pieces_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from symnum.equations.ode import OdeDiscovery

MOST = 6  # trajectories that are drawn: more hide each other
POINTS = 400  # times at which the solution of one stretch is drawn
MARKS = 2000  # measured points that are drawn per trajectory
WIDTH, HEIGHT = 5.0, 2.4  # inches of one panel
TITLE = 60  # characters


def plot_ode(found: "OdeDiscovery", path: str | Path | None = None) -> "Figure":
    """A row for every state: the measured points and the solution, beside the front of its equation.

    The solution starts where the search judged it: at the fitted initial states, of every stretch that long trajectories were cut into.

    Args:
        found: the result; its first six trajectories are drawn.
        path: a file to save the picture in, .png, .pdf or .svg.

    Raises:
        ImportError: matplotlib is not installed; the message has the pip line.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = "plots require matplotlib: pip install 'symnum[report]'"
        raise ImportError(msg) from error
    states, curves = found.system.states, found.search.curves
    figure = Figure(figsize=(2 * WIDTH, max(len(states) * HEIGHT, 3.0)), layout="constrained")
    panels = figure.subplots(len(states), 2, squeeze=False)
    for number, curve in enumerate(curves[:MOST]):
        some = slice(None, None, max(1, len(curve.data) // MARKS))
        for axes, column in zip(panels[:, 0], curve.data.x.T, strict=True):
            axes.plot(curve.data.t[some], column[some], ".", color=f"C{number}", markersize=4, label=curve.data.label)
    stretches = zip(pieces_of(curves, found.statistics["pieces"]), found.models[0].refined.starts, strict=True)
    for piece, start in stretches:
        if piece.curve < MOST:
            _draw_solution(found, piece, start, panels[:, 0])
    for i, (data, front) in enumerate(panels):
        data.set_ylabel(states[i])
        data.locator_params(axis="x", nbins=6)
        _draw_front(found, i, front)
    panels[-1, 0].set_xlabel(found.system.time)
    if len(curves) > 1:
        panels[0, 0].legend(fontsize="small")
    if len(curves) > MOST:
        panels[0, 0].set_title(f"{MOST} of {len(curves)} trajectories", fontsize="small")
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure


def _draw_solution(found: "OdeDiscovery", piece: Piece, start: np.ndarray, panels: np.ndarray) -> None:
    times = np.linspace(piece.t[0], piece.t[-1], POINTS)
    u = np.column_stack([np.interp(times, piece.t, column) for column in piece.u.T]) if piece.u.shape[1] else None
    solution = found.simulate(start, times, u)
    for axes, column in zip(panels, solution.T, strict=True):
        axes.plot(times, column, "-", color=f"C{piece.curve}", linewidth=1)


def _draw_front(found: "OdeDiscovery", i: int, axes: "Axes") -> None:
    """Loss over complexity, the complexity of the chosen equation marked; of an equation that is a definition nothing but its name."""
    name, f = found.system.states[i], found.system.equations[i]
    text = str(f.with_constants([float(f"{c:.4g}") for c in f.constants]))
    axes.set_title(f"{name}' = {text if len(text) <= TITLE else text[: TITLE - 1] + '…'}", fontsize="small")
    if name not in found.front:
        axes.set_axis_off()
        return
    size, loss = np.array([(c.complexity, c.loss) for c in found.front[name]], float).reshape(-1, 2).T
    if (loss > 0).all() and len(loss):
        axes.set_yscale("log")
    axes.plot(size, loss, "o-", color="0.5", markersize=3, linewidth=1)
    axes.axvline(found.models[0].parts[i].expr.complexity, color="C3", linewidth=0.8)
    axes.set_xlabel("complexity")
    axes.set_ylabel("loss")
