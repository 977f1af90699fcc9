"""The ledger keeps every step that was completed, once, whatever happens to the process that writes it."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from flint import fmpz

from symnum.numbers import ledger_view
from symnum.numbers.ledger import Ledger
from symnum.numbers.ledger_file import FILE, connect

DOMAIN = {"a": 2, "b": [1, 5]}

# A run of 60 steps that takes up where the ledger stands; candidates recur, so that a repetition would show in the counters.
WRITER = """
import sys, time
from symnum.numbers.ledger import Ledger
with Ledger.open(sys.argv[1], "pcf", {"a": 2, "b": [1, 5]}, resume=True) as ledger:
    for i in range(ledger.cursor or 0, 60):
        with ledger.step(i + 1) as step:
            for j in range(40):
                step.candidate(f"{i * 30 + j}", {"i": i})
            step.count("tried", 40)
            if i % 3 == 0:
                step.relation(f"{i}", f"pi/{i}", [1, -i], ["pi", "v"], 50 + i, 12, "1.0")
            time.sleep(0.002)
    ledger.finish("0 to 60: 20 relations")
"""


def fill(folder, steps=3, **options):
    with Ledger.open(folder, "pcf", DOMAIN, **options) as ledger:
        for i in range(ledger.cursor or 0, steps):
            with ledger.step(i + 1) as step:
                step.candidate(f"k{i}", {"i": i}, "3.14")
                step.relation(f"k{i}", f"pi + {i}", [1, i, -1], ["pi", "1", "v"], 50, 12, "3.1")
                step.count("tried")
    return Ledger.read(folder)


def start(folder):
    return subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stderr=subprocess.PIPE)


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_killed_at_random_moments_nothing_is_lost_and_nothing_done_twice(tmp_path):
    rng = random.Random(4)
    for kill in range(6):
        writer = start(tmp_path)
        until(lambda at=kill, process=writer: sittings(tmp_path) > at or process.poll() is not None)
        time.sleep(rng.uniform(0.0, 0.04) if kill else 0)
        writer.kill()
        writer.wait()
        writer.stderr.close()
    writer = start(tmp_path)
    errors = writer.communicate(timeout=60)[1]
    assert writer.returncode == 0, errors.decode()
    view = Ledger.read(tmp_path)
    assert len(view.runs()) >= 3  # some sittings were cut short
    assert view.counters == {"tried": 2400}
    assert [c["key"] for c in view.candidates()] == [str(k) for k in range(59 * 30 + 40)]
    assert len(view.relations()) == 20 and view.finished
    assert view.relation_set() == {(f"{i}", f"pi/{i}", (1, -i), "conjecture") for i in range(0, 60, 3)}


def sittings(folder):
    try:
        return len(Ledger.read(folder).runs())
    except ValueError:  # it has not begun
        return 0


def test_two_readers_while_one_writes_and_a_second_writer_is_refused(tmp_path):
    writer = start(tmp_path)
    try:
        until(lambda: (tmp_path / FILE).exists())

        def follow():
            seen = []
            while not seen or seen[-1] < 60:
                try:
                    view = Ledger.read(tmp_path)
                    found = len(view.relations())
                    steps = view.runs()[-1]["cursor"] or 0
                    tried = view.counters.get("tried", 0)
                except ValueError as error:  # nothing has been committed yet
                    assert "has not begun" in str(error)
                    continue
                assert tried % 40 == 0 and found <= 20
                seen.append(steps)
            return seen

        with ThreadPoolExecutor(2) as readers:
            follows = [readers.submit(follow) for _ in range(2)]
            until(lambda: writer.poll() is not None or has_steps(tmp_path))
            if writer.poll() is None:
                try:
                    with Ledger.open(tmp_path, "pcf", DOMAIN, resume=True):
                        assert writer.wait() == 0  # it had ended in between
                except OSError as error:
                    assert f"process {writer.pid}" in str(error) and "wait" in str(error)
            for f in follows:
                seen = f.result(timeout=30)
                assert seen == sorted(seen)
    finally:
        writer.kill()
        writer.wait()
        writer.stderr.close()


def test_a_second_writer_in_the_same_process_is_refused_until_the_first_lets_go(tmp_path):
    with Ledger.open(tmp_path, "pcf", DOMAIN):
        assert Ledger.read(tmp_path).running
        with pytest.raises(OSError, match=f"process {os.getpid()} .*wait for it"):
            Ledger.open(tmp_path, "pcf", DOMAIN, resume=True)
    assert not Ledger.read(tmp_path).running
    assert fill(tmp_path, resume=True).counters == {"tried": 3}


def test_a_killed_run_can_be_read_before_it_is_resumed(tmp_path):
    writer = start(tmp_path)
    until(lambda: (tmp_path / FILE).exists())
    until(lambda: writer.poll() is not None or has_steps(tmp_path))
    writer.kill()
    writer.wait()
    writer.stderr.close()
    view = Ledger.read(tmp_path)
    assert view.counters["tried"] == 40 * view.runs()[-1]["cursor"] and not view.running


def has_steps(folder):
    try:
        return (Ledger.read(folder).runs()[-1]["cursor"] or 0) > 3
    except ValueError:
        return False


def test_an_exception_undoes_its_step(tmp_path):
    with Ledger.open(tmp_path, "pcf", DOMAIN) as ledger:
        with ledger.step(1) as step:
            step.candidate("a", {})
        for error in (RuntimeError, KeyboardInterrupt):
            with pytest.raises(error), ledger.step(2) as step:
                step.candidate("b", {})
                step.count("tried", 5)
                raise error
        assert ledger.cursor == 1
        with ledger.step(2) as step:
            assert step.candidate("b", {})
    view = Ledger.read(tmp_path)
    assert [c["key"] for c in view.candidates()] == ["a", "b"] and view.counters == {}


def test_a_relation_is_kept_once_and_may_be_proved_later(tmp_path):
    with Ledger.open(tmp_path, "pcf", DOMAIN) as ledger:
        with ledger.step(1) as step:
            assert step.relation("k", "4/pi", [fmpz(1), np.int64(-4)], ["pi", "1"], 50, 12, "1.27")
            assert step.relation("k", "pi/4", [10**40, 1], ["pi", "1"], 70, 12, "0.78", status="rejected", reason="fails at 100 digits")
        with ledger.step(2) as step:
            assert not step.relation("k", "4/pi", [1, -4], ["pi", "1"], 50, 12, "1.27", status="proved", certificate={"u": [[1]]})
    first, second = Ledger.read(tmp_path).relations()
    assert (first["status"], first["certificate"], first["coefficients"]) == ("proved", {"u": [[1]]}, [1, -4])
    assert second["coefficients"] == [10**40, 1] and second["reason"] == "fails at 100 digits"
    assert [r["formula"] for r in Ledger.read(tmp_path).relations("rejected")] == ["pi/4"]


@pytest.mark.parametrize(("status", "says"), [
    ("guess", "among proved"), ("proved", "certificate"), ("known", "source"), ("rejected", "reason")])
def test_a_status_without_its_ground_is_refused(tmp_path, status, says):
    with Ledger.open(tmp_path, "pcf", DOMAIN) as ledger, pytest.raises(ValueError, match=says), ledger.step(1) as step:
        step.relation("k", "pi", [1, -1], ["pi", "v"], 50, 12, "3", status=status)


def test_values_survive_as_they_were(tmp_path):
    data = {"text": "ζ(3) – \u0000 \"'; DROP TABLE", "nan": float("nan"), "inf": np.float32(np.inf), "array": np.array([1.5, np.nan]),
            "big": 10**50, "nested": [{"x": None}], "flint": fmpz(7)}
    with Ledger.open(tmp_path, "pcf", DOMAIN) as ledger, ledger.step({"at": [1, 2]}) as step:
        step.candidate("κ'; --", data, "½")
    with Ledger.open(tmp_path, "pcf", DOMAIN, resume=True) as ledger:
        assert ledger.cursor == {"at": [1, 2]}
    (row,) = Ledger.read(tmp_path).candidates()
    assert row == {"key": "κ'; --", "value": "½", "data": data | {"nan": None, "inf": None, "array": [1.5, None], "flint": 7}}


def test_many_candidates_at_once_and_fast(tmp_path):
    with Ledger.open(tmp_path, "pcf", DOMAIN) as ledger, ledger.step(1) as step:
        begin = time.perf_counter()
        assert step.candidates((str(i % 20_000), {}, "") for i in range(30_000)) == 20_000
        assert time.perf_counter() - begin < 3  # 0.1 s on an idle core


def test_another_question_is_not_resumed(tmp_path):
    fill(tmp_path)
    with pytest.raises(ValueError, match="--resume"):
        fill(tmp_path)
    with pytest.raises(ValueError, match="pcf, got census"):
        Ledger.open(tmp_path, "census", DOMAIN, resume=True)
    with pytest.raises(ValueError, match=r"a = 2 there, 3 here"):
        Ledger.open(tmp_path, "pcf", DOMAIN | {"a": 3}, resume=True)
    assert len(fill(tmp_path, resume=True).runs()) == 2  # a refusal leaves no trace


def test_a_finished_run_says_what_was_searched(tmp_path):
    with Ledger.open(tmp_path / "new" / "run", "pcf", DOMAIN, resume=True) as ledger:
        assert ledger.cursor is None and not ledger.finished
        ledger.finish("a of degree 2: nothing")
    with Ledger.open(tmp_path / "new" / "run", "pcf", DOMAIN, resume=True) as ledger:
        assert ledger.finished
    view = Ledger.read(tmp_path / "new" / "run")
    assert view.finished and view.searched == ["a of degree 2: nothing"] and not view.relations()
    run = view.runs()[0]
    assert run["domain"] == DOMAIN and run["process"] == os.getpid() and "python" in run["versions"] and run["stopped"]


# bad files ------------------------------------------------------------------------------------------------------------
def test_no_ledger_no_view(tmp_path):
    with pytest.raises(ValueError, match="there is no ledger.sqlite"):
        Ledger.read(tmp_path)
    with pytest.raises(ValueError, match="there is no ledger.sqlite"):
        Ledger.read(tmp_path / "nowhere")
    (tmp_path / FILE).touch()  # killed before its first transaction
    with pytest.raises(ValueError, match="has not begun"):
        Ledger.read(tmp_path)
    assert fill(tmp_path).counters == {"tried": 3}


@pytest.mark.parametrize("content", [
    b"not a database, but quite long enough to look like one " * 20, b"SQLite format 3\0" + bytes(range(256)) * 40])
def test_a_file_that_is_no_database(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)
    for use in (lambda: Ledger.read(tmp_path), lambda: Ledger.open(tmp_path, "pcf", DOMAIN, resume=True)):
        with pytest.raises((ValueError, OSError), match="ledger"):
            use()
    assert (tmp_path / FILE).read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path):
    db = sqlite3.connect(tmp_path / FILE)
    db.execute("CREATE TABLE other (x)")
    db.commit()
    db.close()
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(ValueError, match="another program"):
        Ledger.open(tmp_path, "pcf", DOMAIN, resume=True)
    with pytest.raises(ValueError, match="another program"):
        Ledger.read(tmp_path)
    assert (tmp_path / FILE).read_bytes() == before


def test_a_damaged_page_is_said_to_be_damaged(tmp_path):
    fill(tmp_path, steps=200)
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4096:] = bytes(b ^ 0x5A for b in content[4096:])
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        list(Ledger.read(tmp_path).candidates())


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "run").write_text("x")
    for folder in (tmp_path / "run", tmp_path / "run" / "deeper"):
        with pytest.raises(OSError, match="a folder that can be written was required"):
            Ledger.open(folder, "pcf", DOMAIN)


def test_a_read_only_folder(tmp_path):
    fill(tmp_path / "old")
    for name in ("old", "new"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name).chmod(0o500)
    try:
        if os.access(tmp_path / "new", os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(OSError, match="can be written was required"):
            Ledger.open(tmp_path / "new", "pcf", DOMAIN)
        assert len(Ledger.read(tmp_path / "old").relations()) == 3
    finally:
        for name in ("old", "new"):
            (tmp_path / name).chmod(0o700)


def test_a_settled_ledger_is_read_where_nothing_may_be_written(tmp_path, monkeypatch):
    view = fill(tmp_path)
    monkeypatch.setattr(ledger_view.os, "access", lambda *_: False)
    assert len(view.relations()) == 3


def test_a_file_that_may_only_be_read(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.setattr("symnum.numbers.ledger.connect", lambda path: connect(path, "mode=ro"))
    with pytest.raises(OSError, match="can be written was required"):
        Ledger.open(tmp_path, "pcf", DOMAIN, resume=True)


def test_a_full_disk_undoes_the_step_and_the_run_goes_on_later(tmp_path):
    with Ledger.open(tmp_path, "pcf", DOMAIN) as ledger:
        with ledger.step(1) as step:
            step.candidate("a", {})
        (pages,) = ledger._db.execute("PRAGMA page_count").fetchone()
        ledger._db.execute(f"PRAGMA max_page_count={pages + 2}")
        with pytest.raises(OSError, match="room on the disk was required.*--resume"), ledger.step(2) as step:
            for i in range(1000):
                step.candidate(f"b{i}", {"x": "y" * 1000})
        assert ledger.cursor == 1
    with Ledger.open(tmp_path, "pcf", DOMAIN, resume=True) as ledger:
        assert ledger.cursor == 1
        with ledger.step(2) as step:
            assert step.candidate("b0", {})
    assert [c["key"] for c in Ledger.read(tmp_path).candidates()] == ["a", "b0"]


@pytest.mark.parametrize("cursor", [object(), {1, 2}, b"x"])
def test_a_cursor_that_json_cannot_hold_undoes_the_step(tmp_path, cursor):
    with Ledger.open(tmp_path, "pcf", DOMAIN) as ledger:
        with pytest.raises(TypeError, match="JSON"), ledger.step(cursor) as step:
            step.candidate("a", {})
        assert ledger.cursor is None
    assert not list(Ledger.read(tmp_path).candidates())


def test_everything_in_a_view_is_json(tmp_path):
    view = fill(tmp_path)
    rows = [view.relations(), view.runs(), view.counters, list(view.candidates())]
    assert json.loads(json.dumps(rows)) == rows
