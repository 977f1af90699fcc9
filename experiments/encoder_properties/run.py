"""What a law's curve looks like, told from the law's embedding: SNIP's property experiment, with and without the pretraining.

    python experiments/encoder_properties/run.py --checkpoint DIR_OR_FILE --out result.json

Two properties of laws of one variable, SNIP's non-convexity ratio and upwardness (Meidani, Shojaee, Reddy & Barati Farimani 2024,
ICLR, arXiv:2310.02227), are regressed on the vector of the symbolic tower, from 10,000 and from 1,000 examples:

    frozen       the pretrained tower as it is, a head on its vectors
    fine-tuned   the pretrained tower and the head, trained together
    untrained    the same tower with random weights and the head, trained together in the same way
    random       the tower with random weights as it is, a head on its vectors

The 1,000 laws of the test have skeletons that neither the pretraining nor these examples contain. See README.md.
"""

import argparse
import copy
import json
import math
import platform
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from symnum.encode.corpus import Corpus
from symnum.encode.graph import MAGNITUDES, Graph
from symnum.encode.model import JointModel
from symnum.encode.properties import CURVE, GRID, curve_properties
from symnum.encode.public import Encoder
from symnum.evaluate.cpu import CpuEvaluator, Rows
from symnum.language.batch import Batch
from symnum.language.ops import CONST

SEED = 2024
EXAMPLES, TEST = (10_000, 1_000), 1_000
INTERVALS = ((-3.0, 3.0), (0.1, 3.0))  # a law's domain: the first on which it is finite
PROPERTIES = ("non_convexity", "upwardness")
DRAWN = 500  # laws drawn at a time
VALIDATION = 0.1  # share of the examples on which the rate and the epoch are chosen, for every row of the table alike
RATES = (1e-3, 3e-3)
BATCH, HEAD = 128, 128
UPDATES = {False: 6000, True: 2000}  # of the optimiser, with a head alone and with the whole tower; half with the fewest examples
CHECKS = 25  # looks at the validation examples in one training
REDRAWN = 8  # times that constants are drawn anew within their classes, for the ceiling


def laws(count: int, gates: bool, known: np.ndarray) -> tuple[Batch, np.ndarray, np.ndarray]:
    """Laws of one variable, their constants drawn, that have a curve; their two properties (P, 2) and keys.

    Args:
        count: how many.
        gates: those that training leaves out.
        known: keys of skeletons to leave out.
    """
    corpus = Corpus(SEED, variables=1, rows=16, views=1, edits=0, gates=gates)
    parts, index, have = [], 0, 0
    while have < count:
        drawn = corpus.minibatch(index, DRAWN)
        values = curves(drawn.expressions)
        kept = np.isfinite(values).all(axis=1) & ~np.isin(drawn.skeleton, known)
        parts.append((drawn.expressions.take(kept), values[kept], drawn.skeleton[kept]))
        have += int(kept.sum())
        index += 1
    batch = Batch.concatenate([p[0] for p in parts]).take(np.arange(count))
    return batch, *(np.concatenate([p[k] for p in parts])[:count] for k in (1, 2))


def curves(batch: Batch) -> np.ndarray:
    """PROPERTIES (P, 2) on the law's domain; NaN where it is on no interval finite, or constant."""
    out = np.full((len(batch), len(PROPERTIES)), np.nan)
    for interval in INTERVALS:
        todo = np.flatnonzero(np.isnan(out).all(axis=1))
        x = np.linspace(*interval, GRID)[:, None]
        with np.errstate(all="ignore"):
            y = CpuEvaluator(1).values(batch.take(todo), Rows.pack(x, batch.names)).y
            out[todo] = curve_properties(y)[:, [CURVE.index(name) for name in PROPERTIES]]
    return out


def ceiling(test: Batch, target: np.ndarray) -> list[float]:
    """The R² that no reader of constants by their classes can pass: the tower sees a constant's sign and half-decade alone.

    Constants are drawn anew, log-uniformly within their classes; 1 - the mean variance within a law, against that of all laws.
    """
    rng, at = np.random.default_rng(SEED), np.flatnonzero(test.code == CONST)
    half = (MAGNITUDES - 1) / 2
    rounds = []
    for _ in range(REDRAWN):
        value = test.value.copy()
        free = value[at]
        size = np.clip(np.rint(2 * np.log10(np.where(free == 0, 1.0, abs(free)))), -half, half)
        value[at] = np.where(free == 0, 0.0, np.sign(free) * 10 ** ((size + rng.uniform(-0.5, 0.5, len(at))) / 2))
        rounds.append(curves(replace(test, value=value)))
    rounds = np.stack(rounds)
    within = rounds.var(axis=0, ddof=1)
    whole = np.isfinite(within)  # of laws that have a curve whatever their constants
    return [float(1 - within[whole[:, k], k].mean() / target[:, k].var()) for k in range(target.shape[1])]


class Regression(nn.Module):
    """The symbolic tower and a head of one hidden layer for the two properties."""

    def __init__(self, model: JointModel, whole: bool):
        super().__init__()
        self.tower, self.whole = copy.deepcopy(model.symbolic), whole
        self.tower.requires_grad_(whole)
        self.head = nn.Sequential(nn.Linear(self.tower.width, HEAD), nn.SiLU(), nn.Linear(HEAD, len(PROPERTIES)))

    def vectors(self, batch: Batch, symbols: tuple[str, ...], slots: int) -> torch.Tensor:
        """(P, width); x0 is in slot 0."""
        return self.tower(Graph.of(batch, np.zeros(1, np.int64), slots, symbols))


def trained(model: JointModel, whole: bool, rate: float, updates: int, train: tuple, validation: tuple, test: tuple) -> tuple:
    """Train one; the validation error and the test's predictions at the best of CHECKS looks.

    Args:
        model: whose tower is taken.
        whole: train the tower too.
        rate, updates: of AdamW, with a cosine schedule.
        train, validation, test: (batch, standardised targets).
    """
    torch.manual_seed(SEED)
    net, rng = Regression(model, whole), np.random.default_rng(SEED)
    symbols, slots = model.vocabulary.symbols, model.settings.slots

    def inputs(batch: Batch) -> torch.Tensor:
        with torch.set_grad_enabled(whole and net.training):
            return net.vectors(batch, symbols, slots)

    fixed = {} if whole else {name: inputs(part[0]) for name, part in (("train", train), ("validation", validation), ("test", test))}
    targets = torch.from_numpy(train[1]).float()
    groups = [{"params": net.head.parameters()}] + ([{"params": net.tower.parameters()}] if whole else [])
    optimiser = torch.optim.AdamW(groups, lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda s: 0.5 * (1 + math.cos(math.pi * s / updates)))
    best, order = (np.inf, None), np.zeros(0, np.int64)
    for update in range(1, updates + 1):
        if len(order) < BATCH:
            order = rng.permutation(len(targets))
        chosen, order = order[:BATCH], order[BATCH:]
        x = inputs(train[0].take(chosen)) if whole else fixed["train"][torch.from_numpy(chosen)]
        loss = nn.functional.mse_loss(net.head(x), targets[torch.from_numpy(chosen)])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if update % max(1, updates // CHECKS) == 0:
            net.eval()
            with torch.no_grad():
                seen = net.head(fixed["validation"] if not whole else inputs(validation[0])).numpy()
                error = float(((seen - validation[1]) ** 2).mean())
                if error < best[0]:
                    best = error, net.head(fixed["test"] if not whole else inputs(test[0])).numpy()
            net.train()
    return best


def row(model: JointModel, whole: bool, train: tuple[Batch, np.ndarray], test: tuple[Batch, np.ndarray]) -> dict:
    """One row of the table: R² of each property on the test, with the rate that is best on the validation examples."""
    batch, target = train
    began, held = time.perf_counter(), int(VALIDATION * len(batch))
    mean, spread = target[held:].mean(axis=0), target[held:].std(axis=0)

    def part(laws_: Batch, values: np.ndarray) -> tuple[Batch, np.ndarray]:
        return laws_, (values - mean) / spread

    parts = (part(batch.take(np.arange(held, len(batch))), target[held:]), part(batch.take(np.arange(held)), target[:held]), part(*test))
    updates = UPDATES[whole] if len(batch) == max(EXAMPLES) else UPDATES[whole] // 2
    runs = {rate: trained(model, whole, rate, updates, *parts) for rate in RATES}
    rate = min(runs, key=lambda r: runs[r][0])
    residual = ((runs[rate][1] - parts[2][1]) ** 2).mean(axis=0) / parts[2][1].var(axis=0)
    return {"rate": rate, "seconds": round(time.perf_counter() - began, 1)} | {
        name: round(float(1 - r), 4) for name, r in zip(PROPERTIES, residual, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", required=True, type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("result.json"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    began, encoder = time.perf_counter(), Encoder.load(args.checkpoint)
    test_laws, test_target, test_keys = laws(TEST, True, np.zeros(0, np.uint64))
    train_laws, train_target, _ = laws(max(EXAMPLES), False, test_keys)
    torch.manual_seed(SEED)
    random = JointModel(encoder.config.model, encoder.vocabulary)
    rows = {"frozen": (encoder.model, False), "fine-tuned": (encoder.model, True), "untrained": (random, True), "random": (random, False)}
    result = {
        "step": encoder.step, "seed": SEED, "examples": EXAMPLES, "test": TEST, "intervals": INTERVALS,
        "test skeletons": len(np.unique(test_keys)), "machine": platform.machine(), "torch": torch.__version__,
        "ceiling": dict(zip(PROPERTIES, ceiling(test_laws, test_target), strict=True)), "rows": []}
    print(f"step {encoder.step}; laws after {time.perf_counter() - began:.0f} s")
    print(f"{'':12}{'examples':>10}" + "".join(f"{name:>16}" for name in PROPERTIES))
    for count in EXAMPLES:
        few = np.arange(count)
        for name, (model, whole) in rows.items():
            found = row(model, whole, (train_laws.take(few), train_target[few]), (test_laws, test_target))
            result["rows"].append({"network": name, "examples": count} | found)
            print(f"{name:12}{count:10}" + "".join(f"{found[p]:16.3f}" for p in PROPERTIES), flush=True)
    print(f"{'ceiling':12}{'':10}" + "".join(f"{result['ceiling'][p]:16.3f}" for p in PROPERTIES))
    result["seconds"] = round(time.perf_counter() - began)
    args.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
