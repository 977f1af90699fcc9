"""Settings of equation discovery are chosen here: published lists of systems that are not ODEBench's, and random systems.

    python experiments/ode_extra/run.py --jobs 2                                        the 25 systems of the lists, clean
    python experiments/ode_extra/run.py --random 45 --noise 0 0.05 --drop 0 0.5 --jobs 2 --out random.json
    python experiments/ode_extra/run.py --systems gompertz,frac,r3 --random 9 --starts 0 --fresh --out few.json
    python experiments/ode_extra/run.py --scan --random 20 --starts 0 --noise 0 0.05 --drop 0 0.5 --out scan.json    PySINDy's settings

A line per task: R² from the initial state that was trained on and from the other one, whether it is the law, seconds; where it is not the
law, the equations found and the true ones. Results are kept in a .jsonl beside --out as they come, and a second run goes on with it.
"""

import argparse
import sys
from itertools import product
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from ode_extra.random_systems import systems as random_systems  # noqa: E402
from odebench import tasks  # noqa: E402

THRESHOLDS = (0.003, 0.01, 0.03, 0.1, 0.3)
SCANNED = tuple(name for name in tasks.finders.PYSINDY if name != "pysindy_default")
KINDS = {False: "finite", True: "kalman"}  # differentiation without noise and with; README.md says why


def scan(a: argparse.Namespace, systems: list[dict]) -> None:
    """PySINDy's variants at every threshold, and how good each is, without noise and with."""
    work, settings = [], list(zip(a.noise, a.drop, strict=True))
    for finder, (noise, drop) in product(SCANNED, settings):
        for threshold in THRESHOLDS:
            a.peers, a.options, a.noise, a.drop = finder, {"threshold": threshold, "kind": KINDS[noise > 0]}, [noise], [drop]
            work += tasks.made(a, systems)
    records = tasks.run(systems, work, a.out.with_suffix(".jsonl"), jobs=a.jobs, seconds=a.seconds)
    tasks.write(a, records)
    for finder, noisy in product(SCANNED, (False, True)):
        scores: dict[float, int] = {}
        for r in records:
            if r["finder"] == finder and (r["noise"] > 0) == noisy:
                threshold = r["options"]["threshold"]
                scores[threshold] = scores.get(threshold, 0) + tasks.good(r, "rec") + tasks.good(r, "gen") + bool(r["law"])
        print(finder, "noisy" if noisy else "clean", sorted(scores.items(), key=lambda item: -item[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tasks.options(parser, HERE / "result.json")
    parser.add_argument("--random", type=int, default=0, help="so many random systems r0, r1, … as well")
    parser.add_argument("--random-seed", type=int, default=0, help="of the random systems")
    parser.add_argument("--only-random", action="store_true")
    parser.add_argument("--scan", action="store_true", help="PySINDy's thresholds")
    a = parser.parse_args()
    listed = [] if a.only_random else tasks.load(HERE / "systems.json")
    systems = tasks.chosen(listed + random_systems(a.random, a.random_seed), a.systems)
    if a.scan:
        scan(a, systems)
    else:
        print("\n" + tasks.table(tasks.carried_out(a, systems)))


if __name__ == "__main__":
    main()
