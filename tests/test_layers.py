"""The layer contract holds, and its check notices what breaks it."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location("check_layers", Path(__file__).with_name("check_layers.py"))
check_layers = importlib.util.module_from_spec(spec)
spec.loader.exec_module(check_layers)


def test_no_arrow_goes_back():
    assert check_layers.offenders() == []


@pytest.mark.parametrize(("file", "text"), [
    ("language/expr.py", "import symnum.search.front"),
    ("language/expr.py", "def f():\n    from symnum.evaluate.cpu import CpuEvaluator"),
    ("language/expr.py", "from symnum import estimator"),
    ("evaluate/cpu.py", "from ..problem import base"),
    ("problem/base.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from symnum.search import run"),
    ("search/run.py", "from symnum.cli import app"),
    ("encode/model.py", "from symnum.problem.base import Problem"),
    ("language/expr.py", "from symnum import Expr"),
    ("somewhere.py", "x = 1"),
])
def test_a_forbidden_arrow_is_noticed(tmp_path, file, text):
    path = tmp_path / "symnum" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert len(check_layers.offenders(tmp_path)) == 1


@pytest.mark.parametrize(("file", "text"), [
    ("language/expr.py", "import numpy\nfrom symnum.language.ops import Op\nfrom .ops import Op"),
    ("language/expr.py", "def f():\n    from symnum.evaluate.torch import module"),
    ("search/run.py", "from symnum.problem.base import Problem\nfrom symnum.store import RunFolder"),
    ("cli.py", "from symnum.search.run import discover\nimport symnum"),
])
def test_the_arrows_of_the_contract_pass(tmp_path, file, text):
    path = tmp_path / "symnum" / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert check_layers.offenders(tmp_path) == []
