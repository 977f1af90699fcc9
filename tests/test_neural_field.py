"""A neural vector field for sparse data."""

import numpy as np
import pytest

from symnum.dynamics.system import System
from symnum.dynamics.trajectory import Trajectories
from symnum.equations import neural_field
from symnum.equations.neural_field import fit_field, neural_alternatives, worth_it
from symnum.equations.repair import structure
from symnum.language.expr import Expr

PREY = System.parse({"x": "1.0*x - 0.5*x*y", "y": "-0.8*y + 0.3*x*y"})


def short(count: int = 12, samples: int = 4, gap: float = 1.4, system: System = PREY) -> Trajectories:
    """Many short trajectories of five samples an oscillation."""
    rng, t = np.random.default_rng(0), np.arange(samples) * gap
    xs = [system.simulate(rng.uniform(0.7, 4, len(system.states)), t) for _ in range(count)]
    return Trajectories.of(xs, [t] * count, names=list(system.states))


@pytest.fixture
def brief(monkeypatch):
    """Fields that are trained for a few epochs only."""
    monkeypatch.setattr(neural_field, "EPOCHS", 25)


@pytest.mark.slow
def test_the_field_between_sparse_samples():
    data = short()
    field = fit_field(data, 20)
    true = PREY(field.x)
    assert (np.sqrt(np.mean((field.slope - true) ** 2, axis=0)) < 0.35 * true.std(axis=0)).all()
    assert field.x.shape == field.slope.shape == (36 * 4, 2) and field.u.shape == (144, 0)
    assert (field.error < 0.2).all()


@pytest.mark.usefixtures("brief")
@pytest.mark.slow
def test_reproducible():
    data = short(4, 3)
    a, b = (fit_field(data, 60) for _ in range(2))
    assert (a.slope == b.slope).all() and a.epochs == b.epochs


@pytest.mark.usefixtures("brief")
def test_a_seed_matters():
    data = short(4, 3)
    assert (fit_field(data, 60, 1).slope != fit_field(data, 60, 0).slope).any()


def test_alternatives_hold_the_law(monkeypatch):
    monkeypatch.setattr(neural_field, "EPOCHS", 150)
    decay = System.parse({"x": "-0.7*x"})
    rng = np.random.default_rng(0)
    t = np.array([0.0, 0.5, 1.2])
    data = Trajectories.of([decay.simulate(rng.uniform(1, 4, 1), t) for _ in range(8)], [t] * 8, names=["x"])
    found = neural_alternatives(data, 6)
    assert set(found) == {"x"} and structure(Expr.parse("-0.7*x")) in [structure(e) for e in found["x"]]
    assert all(set(e.variables) <= {"x"} for e in found["x"])


@pytest.mark.slow
def test_inputs_drive_the_field():
    t, rng = np.arange(12) * 0.8, np.random.default_rng(0)
    u = rng.uniform(-1, 1, (12, 1))
    x = System.parse({"x": "u - 0.5*x"}, ["u"]).simulate([0.3], t, u)
    field = fit_field(Trajectories.of(x, t, names=["x"], u=u, inputs=["u"]), 20)
    assert field.u.shape[1] == 1
    assert np.corrcoef(field.slope[:, 0], field.u[:, 0] - 0.5 * field.x[:, 0])[0, 1] > 0.9


def test_missing_samples_are_stepped_over_and_nothing_at_all_is_refused():
    t = np.arange(6.0)
    x = np.exp(-0.3 * t)
    x[2] = np.nan
    assert len(fit_field(Trajectories.of(x, t), 3).x) == 4 * 4
    even = np.where(np.arange(6) % 2, np.nan, 1.0)
    with pytest.raises(ValueError, match="at least two complete samples"):
        fit_field(Trajectories.of(np.column_stack([even, even[::-1]]), t), 3)


def test_worth_it_where_there_is_too_little_to_smooth():
    chosen, why = worth_it(short())
    assert chosen and "4 samples cannot be smoothed" in why
    sparse = short(6, 9, 2.4)
    chosen, why = worth_it(sparse)
    assert chosen and "% of the movement" in why
    dense = short(2, 100, 0.15)
    assert not worth_it(dense)[0]
    assert not worth_it(short(4, 150, 0.1))[0]
