"""Right terms of 34 partial differential equations at four noise levels, beside PySINDy's weak library.

    python experiments/pde/run.py                              everything, resumed from result.json
    python experiments/pde/run.py --only burgers,ks --noise 0,0.05 --seeds 1 --no-peer
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
import solvers  # noqa: E402

from symnum.equations.pde import discover_pde  # noqa: E402

WANTED = {0.0: 100, 0.01: 95, 0.05: 85, 0.2: 60}


def own(problem, fields, t, axes) -> dict:
    """Symnum's answer."""
    names = problem["names"]
    start = time.perf_counter()
    found = discover_pde(fields if len(fields) > 1 else fields[0], t, axes, names=names, holdout=0.0, **problem["settings"])
    seconds = time.perf_counter() - start
    right, worst = True, 0.0
    for name, truth in problem["terms"].items():
        got = {str(term): c for c, term in found.terms[name]}
        if set(got) == set(truth):
            worst = max([worst, *(abs(got[k] / c - 1) for k, c in truth.items())])
        else:
            right = right and any(set(got) == set(a) for a in problem.get("alternatives", []))
    right = right and found.time_order == problem["time_order"]
    return {"right": bool(right), "error": worst if right else None, "seconds": seconds, "text": str(found),
            "widths": {k: list(map(int, v)) for k, v in found.widths.items()}}


def peer(problem, fields, t, axes) -> dict:
    """PySINDy: right if any of its settings is (thresholds and window sizes chosen afterwards: to its favour)."""
    import pysindy as ps

    parts = [p for a in fields for p in ((a.real, a.imag) if np.iscomplexobj(a) else (a,))]
    data = np.stack([np.moveaxis(p, 0, -1) for p in parts], axis=-1)
    start, right, settings = time.perf_counter(), False, ""
    grid = np.stack(np.meshgrid(*axes, t, indexing="ij"), axis=-1)
    lengths = np.array([c[-1] - c[0] for c in (*axes, t)])
    function = ps.PolynomialLibrary(degree=problem["settings"]["degree"], include_bias=False)
    clean = problem["noise"] == 0
    for share in (20, 10, *((None,) if clean else ())):
        np.random.seed(0)
        if share is None:
            library = ps.PDELibrary(function_library=function, derivative_order=4, spatial_grid=axes[0], include_bias=True)
        else:
            library = ps.WeakPDELibrary(function_library=function, derivative_order=4, spatiotemporal_grid=grid, K=500, p=6,
                                        H_xt=list(lengths / share), include_bias=True)
        for threshold in (0.003, 0.03, 0.1, 0.3):
            model = ps.SINDy(optimizer=ps.STLSQ(threshold=threshold, alpha=1e-9, normalize_columns=share is not None),
                             feature_library=library)
            model.fit(data, t=t)
            names = model.get_feature_names()
            got = [{n for n, c in zip(names, row, strict=True) if c} for row in model.coefficients()]
            if all(g == set(p) for g, p in zip(got, problem["peer"], strict=True)):
                right, settings = True, f"1/{share} of the range, threshold {threshold}" if share else f"PDELibrary, {threshold}"
                break
        if right:
            break
    return {"right": right, "settings": settings, "seconds": time.perf_counter() - start}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="ids, or parts of them, separated by commas")
    parser.add_argument("--noise", default="0,0.01,0.05,0.2")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--anew", action="store_true", help="symnum's part again; PySINDy's results on the same data are kept")
    parser.add_argument("--out", type=Path, default=HERE / "result.json")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    problems = [p for p in json.loads((HERE / "problems.json").read_text()) if any(s in p["id"] for s in args.only.split(","))]
    noises = [float(v) for v in args.noise.split(",")]
    results = json.loads(args.out.read_text()) if args.out.exists() else {}
    for problem in problems:
        keys = [(r, s) for r in noises for s in range(args.seeds if r else 1)]
        todo = [(r, s) for r, s in keys if args.anew or f"{problem['id']} {r:g} {s}" not in results]
        fields, t, axes = solvers.DATA[problem["id"]]() if todo else (None, None, None)
        for ratio, seed in todo:
            given = solvers.noisy(fields, ratio, seed) if ratio else fields
            try:
                row = own(problem, given, t, axes)
            except (ValueError, np.linalg.LinAlgError) as error:
                row = {"right": False, "error": None, "seconds": 0.0, "text": f"failed: {error}"}
            kept = results.get(f"{problem['id']} {ratio:g} {seed}", {}).get("peer")
            if kept is not None:
                row["peer"] = kept
            elif not args.no_peer and problem.get("peer"):
                try:
                    row["peer"] = peer(problem | {"noise": ratio}, given, t, axes)
                except Exception as error:  # noqa: BLE001 the peer's failures are results
                    row["peer"] = {"right": False, "settings": f"failed: {error}"[:200], "seconds": 0.0}
            results[f"{problem['id']} {ratio:g} {seed}"] = row
            args.out.write_text(json.dumps(results, indent=1))
            other = row.get("peer", {}).get("right")
            print(f"{problem['id']:22} {ratio:4g} {'right' if row['right'] else 'WRONG'} {row['seconds']:5.1f} s  PySINDy "
                  f"{'-' if other is None else 'right' if other else 'wrong'}   {row['text'] if not row['right'] else ''}", flush=True)
    print()
    for ratio in noises:
        rows = {k: v for k, v in results.items() if k.split()[1] == f"{ratio:g}" and any(k.split()[0] == p["id"] for p in problems)}
        if rows:
            share, peers = 100 * np.mean([v["right"] for v in rows.values()]), [v["peer"]["right"] for v in rows.values() if "peer" in v]
            print(f"noise {ratio:4.0%}: right {share:5.1f} % of {len(rows)} (wanted {WANTED.get(ratio, 0)} %); PySINDy "
                  f"{sum(peers)} of the {len(peers)} its library holds; median {np.median([v['seconds'] for v in rows.values()]):.1f} s")


if __name__ == "__main__":
    main()
