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
    assert np.allclose(namespace["found"].best.best([[1.0], [3.0]]), [1.0, 1.5])  # 2*squash(x)
    assert str(namespace["model"].sympy()) == "x0*sqrt(x1**2 + x2**2)"


def test_first_command_is_the_one_that_ci_runs():
    text = README.read_text(encoding="utf-8")
    assert 'pip install ".[test]" && pytest' in text
    assert "symnum fit symnum/data/kepler.csv --target period" in text
