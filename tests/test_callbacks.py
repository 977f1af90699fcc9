"""Progress: a live table on a terminal, few plain lines elsewhere, and nothing that rich could take for markup."""

import io

import pytest
from rich.console import Console

from symnum import callbacks
from symnum.callbacks import Callback, Progress, Silent, Update, equation, front_table
from symnum.language.expr import Expr
from symnum.search.front import Candidate, Front


def front_of(*texts: str) -> Front:
    return Front(tuple(Candidate(Expr.parse(t), 2 * i + 1, 10.0**-i) for i, t in enumerate(texts)))


def update(front: Front, elapsed: float = 1.0, **kwargs) -> Update:
    return Update(**{"elapsed": elapsed, "time_limit": 60, "evaluations": 41_000, "max_evaluations": None, "rate": 2.5e6, "front": front,
                     "target": "y", "message": ""} | kwargs)


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    class Clock:
        now = 100.0

        def monotonic(self):
            return self.now
    clock = Clock()
    monkeypatch.setattr(callbacks, "time", clock)
    return clock


def console(terminal: bool = False, **kwargs) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, height=20, color_system=None, **kwargs)


def test_plain_lines_come_only_when_the_front_changes_and_at_most_once_a_second(clock):
    out = console()
    progress = Progress(out)
    progress.on_start(None)
    for step in range(100):  # ten seconds, a new front every two
        clock.now = 100 + step / 10
        progress.on_update(update(front_of(*["x", "x + 1", "sin(x)", "exp(x)", "x*x"][: 1 + step // 20])))
    progress.on_end(None)
    lines = out.file.getvalue().splitlines()
    assert [line.split(" = ")[1] for line in lines] == ["x", "x + 1", "sin(x)", "exp(x)", "x*x"]
    for step in range(20):  # two seconds, a new front every time
        clock.now += 0.1
        progress.on_update(update(front_of("x", f"{step}*x")))
    assert len(out.file.getvalue().splitlines()) - len(lines) in (2, 3)


def test_a_plain_line_is_one_line_however_long_the_formula(clock):
    out = console()
    Progress(out).on_update(update(front_of("1.23456789012*x" + " + x" * 100)))
    assert out.file.getvalue().count("\n") == 1
    assert "1.23457*x" in out.file.getvalue()
    assert "41.0k evaluations ·" in out.file.getvalue()
    assert len(out.file.getvalue()) < 250


def test_an_empty_front_is_silent_on_plain_output(clock):
    out = console()
    Progress(out).on_update(update(Front()))
    assert out.file.getvalue() == ""


def test_the_terminal_shows_bar_and_table_and_is_given_back(clock):
    out = console(terminal=True)
    progress = Progress(out)
    progress.on_start(None)
    progress.on_update(update(front_of("x", "x + 1"), message="complexity 7 exhausted"))
    text = out.file.getvalue()
    assert "1.0 of 60 s · 41.0k evaluations · 2.50M expressions/s · complexity 7 exhausted" in text
    assert "y = x + 1" in text and "━" in text
    assert "\x1b[?25l" in text  # cursor hidden
    progress.on_end(None)
    progress.close()
    assert "\x1b[?25h" in out.file.getvalue()  # and shown again


def test_a_long_front_fits_the_terminal(clock):
    out = console(terminal=True)
    progress = Progress(out)
    progress.on_start(None)
    progress.on_update(update(front_of(*[f"x + {i}" for i in range(100)])))
    progress.close()
    assert "x + 99" in out.file.getvalue() and "x + 10 " not in out.file.getvalue()
    assert "1.0 of 60 s" in out.file.getvalue()


@pytest.mark.parametrize("name", ["[red]", "[/]", "a[bold]b", ":smile:", "[link=x]y[/link]"])
def test_names_are_never_markup(clock, name):
    front = Front((Candidate(Expr.var(name), 1, 0.5),))
    for terminal in (False, True):
        out = console(terminal)
        progress = Progress(out)
        progress.on_start(None)
        progress.on_update(update(front, target=name, message=name))
        progress.close()
        assert f"`{name}` = `{name}`" in out.file.getvalue()


def test_front_table_marks_the_choice_and_folds_rather_than_cuts():
    out = console()
    out.print(front_table(front_of("x", "x + " + " + ".join(f"sin({i}*x)" for i in range(20))), "y", chosen=1))
    lines = out.file.getvalue().splitlines()
    assert [line for line in lines if line.startswith(">")][0].split()[1:3] == ["3", "0.1"]
    assert "…" not in out.file.getvalue() and "19*x" in out.file.getvalue()


def test_equation_prefers_the_snapped_formula():
    c = Candidate(Expr.parse("3.14159*x"), 3, 0.1, snapped=Expr.parse("pi*x"))
    assert equation("y", c) == "y = pi*x"


@pytest.mark.parametrize(("kwargs", "fraction"), [
    (dict(elapsed=30.0), 0.5), (dict(elapsed=90.0), 1.0),
    (dict(time_limit=None), 0.0), (dict(time_limit=None, max_evaluations=82_000), 0.5),
])
def test_fraction_of_the_budget(kwargs, fraction):
    assert update(Front(), **kwargs).fraction == fraction


def test_both_are_callbacks():
    assert isinstance(Progress(console()), Callback) and isinstance(Silent(), Callback)
