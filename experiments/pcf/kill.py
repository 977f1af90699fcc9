"""A search for π that is killed ten times ends with the relations of one that is left alone.

    python experiments/pcf/kill.py

The search runs in a process of its own, which is sent SIGKILL (kill −9) at ten moments drawn at random, each time after some more blocks,
and started again with `resume`. A last start goes to the end. Relations, candidates and counters are compared with those of an
undisturbed run. Writes kill.json beside this file.
"""

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from symnum.conjecture.fractions.pcf import conjecture_pcf
from symnum.numbers.ledger import Ledger
from symnum.numbers.pcf_domain import Domain, Part
from symnum.numbers.pcf_family import Family

KILLS = 10
DOMAIN = Domain((Part(Family.all(1, -13, 13, "x"), Family.all(2, -20, 20, "y")),))


def search(folder: Path) -> None:
    """The run under test: 50 million pairs."""
    conjecture_pcf("pi", domain=DOMAIN, lhs=20, out=folder, resume=True)


def cursor(folder: Path) -> int:
    """How many blocks are behind the run, 0 where there is no ledger yet."""
    try:
        return Ledger.read(folder).runs()[-1]["cursor"] or 0
    except (ValueError, OSError, IndexError):
        return 0


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, __file__, "--worker", str(folder)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    worker = parser.parse_args().worker
    if worker is not None:
        search(worker)
        return
    with tempfile.TemporaryDirectory() as parent:
        quiet, disturbed = Path(parent, "quiet"), Path(parent, "disturbed")
        search(quiet)
        rng, killed_at = random.Random(0), []
        for target in sorted(rng.sample(range(1, DOMAIN.blocks - 1), KILLS)):
            process = start(disturbed)
            while process.poll() is None and cursor(disturbed) < target:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed_at.append(cursor(disturbed))
        start(disturbed).wait()
        one, other = Ledger.read(quiet), Ledger.read(disturbed)
        result = {
            "kills": KILLS, "blocks": DOMAIN.blocks, "blocks done at each kill": killed_at, "finished": other.finished,
            "relations, undisturbed": len(one.relation_set()), "relations, killed": len(other.relation_set()),
            "same relations": one.relation_set() == other.relation_set(),
            "same candidates": [c["key"] for c in one.candidates()] == [c["key"] for c in other.candidates()],
            "same counters": one.counters["tried"] == other.counters["tried"]}
    for name, value in result.items():
        print(f"{name}: {value}")
    (Path(__file__).parent / "kill.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
