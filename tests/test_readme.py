"""README's python blocks run, in order, in one namespace, as a reader would type them."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parents[1] / "README.md"


def test_python_blocks_run(capsys):
    namespace: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    for block in blocks:
        exec(block, namespace)
    printed = capsys.readouterr().out
    assert len(blocks) >= 4
    assert "3*exp(-10*x0/7) + 1/4" in printed
    assert "2*squash(x0)" in printed and "exact to rounding" in printed
    length, g, swing = np.array([1.0, 1.5]), np.array([9.5, 10.0]), np.array([0.1, 0.4])
    period = 2 * np.pi * np.sqrt(length / g) * (1 + swing**2 / 16)
    assert np.allclose(namespace["found"].best.best(np.column_stack([length, g, swing])), period)
    assert "increasing(x0): proved on the box 0.008928 <= x0 <= 2.986" in printed
    sites = namespace["sites"]
    assert np.allclose(list(sites.template.parts(sites.best.expr)["p"].values()), [0.9976, 1.998, 3.496], rtol=1e-3)
    for said in ("\nsqrt(2*pi)\n", "a(n) = binomial(2*n, n)/(n + 1) [429, 1430, 4862]", "MnO4^- + 5 Fe^2+ + 8 H^+", "\n23\n",
                 "[4.99144423548424", "4/(3*pi - 8) True", "u_t = -0.8*u_x + 0.1*u_xx"):
        assert said in printed
    assert np.allclose(namespace["ode"].system([[5.0, 2.0]]), [[1.1 * 5 - 0.4 * 10, 0.1 * 10 - 0.4 * 2]], atol=0.1)
    drift = namespace["still"].simulate([5.0, 2.0], np.linspace(0, 100, 20))
    held = namespace["inv"][0].expr({"prey": drift[:, 0], "pred": drift[:, 1]})
    assert namespace["inv"].count == 1 and np.ptp(held) < 1e-9 * np.abs(held).max()
    assert str(namespace["model"].sympy()) == "x0*sqrt(x1**2 + x2**2)"


def test_first_command_is_the_one_that_ci_runs():
    text = README.read_text(encoding="utf-8")
    assert 'pip install ".[test]" && pytest' in text
    assert "symnum fit symnum/data/kepler.csv --target period" in text
