"""A neural vector field for sparse data: where neighbouring samples are too far apart to be smoothed, a field is fitted instead.

A small network f is trained so that solving x' = f(x, u) from each sample gives the next one; its values along these solutions are then
regressed as formulas, which the judge of systems fits to whole trajectories. (Chen et al. 2018, arXiv:1806.07366; field first, formula
after: Kidger 2022, "On neural differential equations", arXiv:2202.02435, section 6.1.) All trajectories share one field: what one leaves
out another one shows.
"""

import time
from dataclasses import dataclass

import numpy as np

from symnum.dynamics.library import Library
from symnum.dynamics.smooth import LEAST, smooth
from symnum.dynamics.sparse import best_subsets
from symnum.dynamics.trajectory import Trajectories
from symnum.language.expr import Expr

WIDTH = 32  # of the two hidden layers
SUBSTEPS = 4  # Runge-Kutta steps between samples
EPOCHS = 600
RATE = 1e-2  # of learning, at the start; it falls along a cosine to a hundredth
HELD_OUT = 0.1  # share of the steps between samples that only say when to stop
PATIENCE = 150  # epochs without progress on them
LIBRARIES = (("terms_polynomial", 5), ("terms_trigonometric", 6))
MOST_TERMS, SPARE = 5, 2  # of a sum that is proposed, and sums of every size
ACCURACY = 0.1  # of a field's values, relative to their spread, where it was fitted to some dozens of steps: 0.1 to 0.2 was measured
OWN = 1.5  # seconds of symnum's own search per equation
OFFERED = 8  # formulas of it per equation
ROUGH = 0.25  # share of a state's spread that smoothing takes for noise, from which it is not trusted …
FEW = 400  # … where there are no more samples than this: with many, noise is smoothed well


@dataclass(frozen=True)
class Field:
    """A fitted field along solutions between the samples.

    Attributes:
        x: (points, states) states.
        u: (points, inputs).
        slope: (points, states) the field there.
        error: (states,) root mean square error of predicted held-out samples, in units of the states' spread.
        epochs: how many were run.
    """

    x: np.ndarray
    u: np.ndarray
    slope: np.ndarray
    error: np.ndarray
    epochs: int


def worth_it(data: Trajectories) -> tuple[bool, str]:
    """Whether a neural field is worth its seconds for some data, and why, in words.

    It is where there is too little to smooth: trajectories of fewer samples than a smoothing spline needs, or few samples so far apart
    that the spline takes a good part of the movement for noise.

    >>> t = np.linspace(0, 6, 60)
    >>> worth_it(Trajectories.of(np.sin(t), t))[0]
    False
    """
    if data.rows > FEW:
        return False, f"{data.rows} samples are enough to be smoothed"
    if (shortest := min(int(np.isfinite(item.x).sum(axis=0).min()) for item in data)) < LEAST:
        return True, f"trajectories of {shortest} samples cannot be smoothed one by one: a neural field was fitted to all of them together"
    spread = np.nanstd(np.concatenate([item.x for item in data]), axis=0)
    rough = [np.sqrt(np.mean(smooth(item.t, column).residual ** 2)) for item in data for column in item.x.T]
    share = float((np.reshape(rough, (len(data), -1)).mean(axis=0) / np.maximum(spread, 1e-300)).max())
    if share > ROUGH:
        return True, (f"the samples are so sparse that smoothing takes {100 * share:.0f} % of the movement for noise: a neural field was "
                      "fitted to the steps between them")
    return False, f"smoothing leaves {100 * share:.2g} % of the movement, which is well enough"


def neural_alternatives(data: Trajectories, seconds: float = 20.0, seed: int = 0) -> dict[str, list[Expr]]:
    """Right-hand sides by state that a neural field suggests, the most promising first; their constants are a start for a fit.

    Args:
        data: at least two samples a trajectory.
        seconds: an upper limit, of which the field may take two thirds; results are reproducible where it is not met.
        seed: of the network's first weights and of the search.
    """
    deadline = time.monotonic() + seconds
    field = fit_field(data, seconds * 2 / 3, seed)
    columns = dict(zip(data.columns, np.column_stack([field.x, field.u]).T, strict=True))
    sums = [_sums(field, data, columns, i) for i in range(len(data.states))]
    out = {}
    for i, name in enumerate(data.states):
        left = (deadline - time.monotonic()) / (len(data.states) - i)
        out[name] = sums[i] + (_searched(field, data, i, min(OWN, left), seed) if left > 0.2 else [])
    return out


def fit_field(data: Trajectories, seconds: float = 20.0, seed: int = 0) -> Field:
    """Fit a neural field to the steps between samples; states in units of their spread, time in units of the mean step.

    Raises:
        ValueError: no two neighbouring samples without a gap.
    """
    import torch

    deadline = time.monotonic() + seconds
    generator = torch.Generator().manual_seed(seed)
    start, end, gap, u = _steps(data)
    centre, spread = start.mean(axis=0), np.maximum(np.concatenate([start, end]).std(axis=0), 1e-300)
    unit = float(gap.mean())
    mean_u, spread_u = u.mean(axis=(0, 1)), np.maximum(u.std(axis=(0, 1)), 1e-300)
    z0, z1, v = (torch.tensor(a) for a in ((start - centre) / spread, (end - centre) / spread, (u - mean_u) / spread_u))
    h = torch.tensor(gap / unit)[:, None] / SUBSTEPS
    net = _network(z0.shape[1] + v.shape[2], z0.shape[1], generator)
    held = torch.rand(len(z0), generator=generator, dtype=torch.float64) < HELD_OUT
    if len(z0) < 2 / HELD_OUT or held.all() or not held.any():
        held = torch.zeros(len(z0), dtype=torch.bool)

    def solved() -> tuple[list, list]:
        """States and slopes at the Runge-Kutta steps."""
        states, slopes, z = [], [], z0
        for s in range(SUBSTEPS):
            a, m, b = v[:, 2 * s], v[:, 2 * s + 1], v[:, 2 * s + 2]
            k1 = net(torch.cat([z, a], 1))
            k2 = net(torch.cat([z + h / 2 * k1, m], 1))
            k3 = net(torch.cat([z + h / 2 * k2, m], 1))
            k4 = net(torch.cat([z + h * k3, b], 1))
            states.append(z)
            slopes.append(k1)
            z = z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        return [*states, z], slopes

    optimiser = torch.optim.Adam(net.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS, RATE / 100)
    least, kept, since, epochs = np.inf, None, 0, 0
    for _ in range(EPOCHS):
        epochs += 1
        optimiser.zero_grad()
        squares = (solved()[0][-1] - z1) ** 2
        loss = squares[~held].mean()
        judged = float((squares[held] if held.any() else squares).detach().mean())
        if judged < least:
            least, kept, since = judged, {k: w.detach().clone() for k, w in net.state_dict().items()}, 0
        since += 1
        if since > PATIENCE or time.monotonic() > deadline:
            break
        torch.log(loss).backward()
        optimiser.step()
        schedule.step()
    net.load_state_dict(kept)
    with torch.no_grad():
        states, slopes = solved()
        error = ((states[-1] - z1)[held if held.any() else ~held] ** 2).mean(dim=0).sqrt().numpy()
    x = torch.cat(states[:-1]).numpy() * spread + centre
    slope = torch.cat(slopes).numpy() * spread / unit
    return Field(x, np.concatenate([u[:, 2 * s] for s in range(SUBSTEPS)]), slope, error, epochs)


def _network(inputs: int, outputs: int, generator):
    """Two hidden layers of tanh; the field begins small."""
    import torch

    layers = [torch.nn.Linear(a, b, dtype=torch.float64) for a, b in ((inputs, WIDTH), (WIDTH, WIDTH), (WIDTH, outputs))]
    with torch.no_grad():
        for layer, size in zip(layers, (1.0, 1.0, 0.1), strict=True):
            bound = size / np.sqrt(layer.in_features)
            layer.weight.uniform_(-bound, bound, generator=generator)
            layer.bias.uniform_(-bound, bound, generator=generator)
    return torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])


def _steps(data: Trajectories) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """From each complete sample to the next: states (steps, states) twice, times between (steps,), inputs at half substeps."""
    start, end, gap, inputs = [], [], [], []
    shares = np.linspace(0, 1, 2 * SUBSTEPS + 1)
    for item in data:
        rows = np.flatnonzero(np.isfinite(item.x).all(axis=1))
        for a, b in zip(rows[:-1], rows[1:], strict=True):
            start.append(item.x[a])
            end.append(item.x[b])
            gap.append(item.t[b] - item.t[a])
            at = item.t[a] + shares * gap[-1]
            inputs.append(np.array([np.interp(at, item.t, column) for column in item.u.T]).reshape(-1, len(at)).T)
    if not start:
        msg = "a trajectory with at least two complete samples was required for a neural field, got none"
        raise ValueError(msg)
    return np.array(start), np.array(end), np.array(gap), np.array(inputs)


def _sums(field: Field, data: Trajectories, columns: dict[str, np.ndarray], state: int) -> list[Expr]:
    """Sums of library terms that are near the field, shortest description first."""
    found = []
    slope, steps = field.slope[:, state], len(field.x) // SUBSTEPS  # neighbouring points are not independent
    floor = (ACCURACY * slope.std()) ** 2 * SUBSTEPS  # a subset's sum of squares is over all points, and is divided by the steps
    for n, (grammar, complexity) in enumerate(LIBRARIES):
        library = Library.generate([LIBRARIES[0][0], *([grammar] if n else [])], data.columns, complexity)
        subsets = best_subsets(library.columns(columns), slope, min(MOST_TERMS, max(steps // 2, 1)), SPARE)
        found += [(s.nats(steps, len(library), floor), library.combined(s.columns, s.coefficients)) for s in subsets if s.columns]
    return list(dict.fromkeys(e for _, e in sorted(found, key=lambda item: item[0])))


def _searched(field: Field, data: Trajectories, state: int, seconds: float, seed: int) -> list[Expr]:
    """Formulas of symnum's own search on the field."""
    from symnum.discovery import discover
    from symnum.problem.regression import RegressionProblem
    from symnum.problem.table import as_table

    X = np.column_stack([field.x, field.u])
    problem = RegressionProblem(as_table(X, field.slope[:, state], names=data.columns, target="slope"), holdout=0.0)
    found = discover(problem, "dynamics", time_limit=seconds, max_complexity=20, seed=seed, threads=1)
    return [c.expr for c in sorted(found.front, key=lambda c: c.loss)][:OFFERED]
