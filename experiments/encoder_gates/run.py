"""What an encoder can do, on laws that it was not trained on: every gate that a shipped encoder is asked to pass.

    PYTHONPATH=. python experiments/encoder_gates/run.py --checkpoint RUN [--out result.json] [--quick] [--model-card]

All is measured on reserved skeletons (`symnum.encode.corpus.reserved`), which training never sees, at noise 0, 1 and 10 % of the
spread of y; but for the rows "Feynman", whose laws are in no corpus (experiments/suites has them). One core, some eight minutes.
"""

import argparse
import hashlib
import json
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "suites"), str(HERE.parent / "encoder_corpus")]

import heads  # noqa: E402
import retrieval  # noqa: E402

from symnum.encode.feed import make_corpus  # noqa: E402
from symnum.encode.public import Encoder  # noqa: E402

SEED = 2026  # of laws, data and noise; another one than that of any training
NOISE = (0.0, 0.01, 0.1)
# what is asked: (key, words, least or most)
ASKED = (
    ("retrieval.recall@100", "true skeleton in the index, at most 3 columns: recall@100", 0.60),
    ("feynman.recall@100", "Feynman skeletons, at most 3 columns: recall@100", 0.25),
    ("neighbours.spearman", "cosine against log error over one-edit neighbours: Spearman", 0.4),
    ("length.spearman", "length head: Spearman", 0.7),
    ("remaining.spearman", "length head, sub-expressions given: Spearman", 0.7),
    ("operators.auc", "operator presence: AUC", 0.85),
)
SECONDS = (("look_ms", "one look at 256 x 5, ms", 60.0), ("load_s", "load in a fresh process, s", 1.5))


def machine() -> dict:
    """The processor and the versions; nothing that names the machine."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
    return {"cpu": model, "threads": torch.get_num_threads(), "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "torch")}}


def speed(encoder: Encoder, checkpoint: Path) -> dict:
    """Median milliseconds of one look, and seconds from importing to a loaded encoder in a fresh process (median of three)."""
    rng = np.random.default_rng(SEED)
    X = rng.normal(size=(256, 5))
    y, looks, loads = X[:, 0] * X[:, 1] + np.sin(X[:, 2]), [], []
    for _ in range(30):
        begin = time.perf_counter()
        encoder.look(X, y)
        looks.append(time.perf_counter() - begin)
    code = ("import sys, time; t = time.perf_counter(); from symnum.encode.public import Encoder; Encoder.load(sys.argv[1]);"
            "print(time.perf_counter() - t)")
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", code, str(checkpoint)], capture_output=True, text=True, check=True)
        loads.append(float(done.stdout))
    return {"look_ms": 1000 * float(np.median(looks)), "load_s": float(np.median(loads))}


def table(result: dict) -> str:
    """Asked and measured, as markdown."""
    lines = ["| what | asked | 0 % noise | 1 % | 10 % |", "|---|---|---|---|---|"]
    rows = dict.fromkeys(key for level in result["noise"].values() for key in level)
    asked = {key: (words, least) for key, words, least in ASKED}
    for key in sorted(rows, key=lambda k: (k not in asked, list(asked).index(k) if k in asked else 0)):
        words, least = asked.get(key, (key, None))
        cells = [_cell(level.get(key)) for level in result["noise"].values()]
        lines.append(f"| {words} | {'' if least is None else f'>= {least:g}'} | {' | '.join(cells)} |")
    for key, words, most in SECONDS:
        lines.append(f"| {words} | < {most:g} | {result['speed'][key]:.2f} | | |")
    return "\n".join(lines)


def _cell(value: list[float] | None) -> str:
    return "" if value is None else f"{value[0]:.3f} ({value[1]:.3f} … {value[2]:.3f})"


def model_card(result: dict) -> str:
    """The gates as a section of a model card."""
    about = result["encoder"]
    return "\n".join([
        "## Gates", "",
        f"Encoder of step {about['step']}, weights {about['digest'][:16]}; seed {result['seed']}; {result['machine']['cpu']}, "
        f"{result['machine']['threads']} thread; corpus {about['corpus'][:16]}; "
        f"{result['sizes']['queries']} queries among {result['sizes']['index']:,} skeletons, "
        f"{result['sizes']['laws']} laws for the heads. Value (95 % interval).", "", table(result), ""])


def corpus_digest(encoder: Encoder) -> str:
    """SHA-256 of the first batch that its training saw: another corpus, another digest."""
    first = make_corpus(encoder.config).minibatch(0, encoder.config.train.batch)
    found = hashlib.sha256()
    for array in (first.X, first.y, first.rows, first.columns, first.expressions.code, first.expressions.value, first.edits.code):
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()


def measure(checkpoint: Path, quick: bool) -> dict:
    """All gates."""
    torch.set_num_threads(1)
    encoder = Encoder.load(checkpoint)
    sizes = {"queries": 60, "index": 8192, "laws": 200} if quick else {"queries": 500, "index": 131_072, "laws": 1500}
    begin = time.perf_counter()
    noise: dict[str, dict] = {f"{level:g}": {} for level in NOISE}
    for gates in (heads.measure(encoder, sizes, SEED, NOISE), retrieval.measure(encoder, sizes, SEED, NOISE)):
        for level, values in gates:
            noise[f"{level:g}"] |= values
            print(f"{time.perf_counter() - begin:6.0f} s  noise {level:g}: {', '.join(values)}", file=sys.stderr, flush=True)
    return {
        "seed": SEED, "quick": quick, "sizes": sizes, "machine": machine(),
        "encoder": {"digest": encoder.digest, "step": encoder.step, "config": encoder.config.to_dict(), "corpus": corpus_digest(encoder)},
        "speed": speed(encoder, checkpoint), "noise": noise, "seconds": round(time.perf_counter() - begin, 1),
    }


def main() -> int:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="a run folder, or its encoder.safetensors")
    parser.add_argument("--out", type=Path, help="where the result goes, as JSON")
    parser.add_argument("--quick", action="store_true", help="few laws and a small index: whether it runs, not what it gives")
    parser.add_argument("--model-card", action="store_true", help="print a section for a model card, not the table alone")
    given = parser.parse_args()
    result = measure(given.checkpoint, given.quick)
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(model_card(result) if given.model_card else table(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
