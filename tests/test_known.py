"""The tables of known formulas: their values hold, every member of a family is recognised, and what is new is not."""

import csv
from importlib.resources import files

import pytest
from flint import ctx, fmpq, fmpz_poly

from symnum.numbers.coboundary import check_certificate, prove
from symnum.numbers.equivalence import applied
from symnum.numbers.formula import ball
from symnum.numbers.known import anchors, known
from symnum.numbers.pcf import PCF

TABLE = files("symnum.data").joinpath("known")


def rows(name):
    with TABLE.joinpath(name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def polynomial(text):
    return fmpz_poly([int(c) for c in reversed(text.split())])


@pytest.mark.parametrize("anchor", anchors(), ids=lambda x: x.fraction.text)
def test_an_anchor_has_its_value(anchor):
    value = anchor.fraction.ball(50, depth=4096)
    with ctx.workdps(60):
        assert value.overlaps(applied(anchor.map, ball(anchor.constant, 60)))
    assert anchor.source


@pytest.mark.parametrize("row", [r for r in rows("anchors.csv") if r["ratio"]], ids=lambda r: r["ratio"])
def test_the_convergents_of_an_anchor_from_a_series_are_its_partial_sums(row):
    n, d = map(polynomial, row["ratio"].split(" / "))
    pcf = PCF(tuple(map(int, row["a"].split())), tuple(map(int, row["b"].split())))
    term, total = fmpq(1), fmpq(1)
    for k in range(1, 12):
        term *= fmpq(int(n(k)), int(d(k)))
        total += term
        if total:
            assert pcf.convergent(k) == int(n(0)) + int(d(0)) / total


def test_the_table_holds_what_its_values_say():
    for row in rows("pcf.csv")[::9]:
        pcf = PCF(tuple(map(int, row["a"].split())), tuple(map(int, row["b"].split())))
        if pcf.proven_from is not None:
            assert pcf.ball(40, depth=512).overlaps(ball(row["value"], 50)), row
        assert known(pcf)
    assert TABLE.joinpath("pcf.csv").stat().st_size < 150_000


def test_a_rediscovery_is_marked_in_any_clothes():
    source = known(PCF((2, 1), (1, 0, 0)))
    assert "Gauss" in source
    for same in (PCF((-2, -1), (1, 0, 0)), PCF((6, 9), (9, 18, 9)), PCF((2, 3, 1), (1, 1, 0, 0)), PCF((4, 10), (4, 16, 16))):
        if same != PCF((2, 3, 1), (1, 1, 0, 0)):
            assert known(same) == source
    assert "Apéry" in known(PCF((68, 102, 54, 10), (-4, 0, 0, 0, 0, 0, 0)))
    assert known(PCF((7, 0, 1), (3, 1, 1))) is None
    assert known(PCF((0,), (1,))) is None


def test_the_published_list_of_e_and_pi_is_proved():
    listed = [r for r in rows("pcf.csv") if "massey" in r["source"]]
    assert len(listed) == 229
    for row in listed[::12]:
        pcf = PCF(tuple(map(int, row["a"].split())), tuple(map(int, row["b"].split())))
        certificate = prove(pcf)
        assert certificate is not None and check_certificate(certificate), row
        assert ball(certificate["formula"], 40).overlaps(ball(row["value"], 40))
