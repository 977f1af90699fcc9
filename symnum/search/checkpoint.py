"""A run's progress as plain arrays and back: no pickle on disk, formulas as text, operators by name.

    to_arrays(progress, context) -> dict of arrays        from_arrays(arrays, context, n_searches) -> progress
"""

import json
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import FIRST_OP, OPS, by_code
from symnum.language.rules import SLOT
from symnum.problem.reduction import Reduction
from symnum.problem.structure import Partition
from symnum.search.base import Context
from symnum.search.best_first import Tree
from symnum.search.enumerate import Cursor
from symnum.search.evolve import Island
from symnum.search.front import Candidate, Front
from symnum.search.invert import Tasks
from symnum.search.latent import Pack
from symnum.search.prune import Pruning
from symnum.search.reduce import Part, Parts
from symnum.search.retrieve import Atoms
from symnum.search.run import Progress
from symnum.search.symnet import Networks

Arrays = dict[str, np.ndarray]
BATCH = ("code", "arg", "value", "offset")
NEVER = (-1.0, -1.0)
STATES = {state.__name__: state for state in (Cursor, Tasks, Atoms, Island, Pruning, Networks, Tree, Pack)}


def to_arrays(progress: Progress, context: Context) -> Arrays:
    """The progress as plain arrays."""
    used = np.unique(context.rules.code[(context.rules.code >= FIRST_OP) & (context.rules.code != SLOT)])
    out = {
        "progress": np.array([progress.round, progress.evaluations, progress.node_rows, progress.expressions], np.int64),
        "seconds": np.array(progress.seconds),
        "exact_at": np.array(progress.exact_at or NEVER),
        "noise_at": np.array(progress.noise_at or NEVER),
        "operators": np.array([f"{code}:{by_code(code).name}" for code in used], dtype=np.str_),
    }
    out |= _under("front", _front_arrays(progress.front))
    for i, state in enumerate(progress.states):
        out |= _under(str(i), _state_arrays(state))
    return out


def from_arrays(arrays: Arrays, context: Context, n_searches: int) -> Progress:
    """The progress that `to_arrays` wrote; operators are found again by name.

    Raises:
        ValueError: the run used an operator that is not registered, or had another portfolio.
    """
    recode = np.arange(256, dtype=np.uint8)
    for entry in arrays["operators"].tolist():
        code, _, name = entry.partition(":")
        if name not in OPS:
            msg = f"the run used the operator {name!r}: register it (Op.from_function) before resuming"
            raise ValueError(msg)
        recode[int(code)] = OPS[name].code
    saved = len({name.split("/")[0] for name in arrays if name.split("/")[0].isdigit()})
    if saved != n_searches:
        msg = f"the run has {saved} searches, this portfolio {n_searches}: data, grammar, loss and portfolio must be those of the run"
        raise ValueError(msg)
    states = tuple(_state(_below(arrays, str(i)), context.rules.names, recode) for i in range(n_searches))
    rounds, evaluations, node_rows, expressions = arrays["progress"].tolist()
    exact, noise = ((float(s), int(e)) if s >= 0 else None for s, e in (arrays[k].tolist() for k in ("exact_at", "noise_at")))
    front = _front(_below(arrays, "front"), context.problem.floor, context.problem.resolution)
    return Progress(rounds, front, states, float(arrays["seconds"]), evaluations, node_rows, expressions, exact, noise)


# one state --------------------------------------------------------------------------------------------------------------
def _state_arrays(state: Any) -> Arrays:
    """A state by its fields: numbers, arrays, batches of expressions, states within; None is left out."""
    if isinstance(state, Parts):
        out = {"parts": np.array([len(state.parts), state.turn, state.expanded, state.evaluations, state.node_rows], np.int64)}
        for k, part in enumerate(state.parts):
            out |= _under(str(k), _part_arrays(part))
        return out
    out = {"kind": np.array(type(state).__name__)}
    for f in fields(state):
        value = getattr(state, f.name)
        if isinstance(value, Batch):
            out |= _under(f.name, _batch_arrays(value))
        elif is_dataclass(value):
            out |= _under(f.name, _state_arrays(value))
        elif value is not None:
            out[f.name] = np.asarray(value)
    return out


def _state(arrays: Arrays, names: tuple[str, ...], recode: np.ndarray) -> Any:
    if "parts" in arrays:
        count, turn, expanded, evaluations, node_rows = arrays["parts"].tolist()
        parts = tuple(_part(_below(arrays, str(k)), recode) for k in range(count))
        return Parts(parts, turn, bool(expanded), evaluations, node_rows)
    make, values = STATES[str(arrays["kind"])], {}
    for f in fields(make):
        inner = _below(arrays, f.name)
        if inner:
            values[f.name] = _state(inner, names, recode) if "kind" in inner else _batch(inner, names, recode)
        elif f.name in arrays:
            values[f.name] = arrays[f.name] if arrays[f.name].ndim else arrays[f.name].item()
    return make(**values)


def _part_arrays(part: Part) -> Arrays:
    path = [{"columns": [str(c) for c in r.columns], "names": r.names, "outer": str(r.outer), "inner": str(r.inner), "reason": r.reason}
            for r in part.path]
    side = part.side and [part.side.kind, part.side.left, part.side.right]
    out = {"path": np.array(json.dumps(path)), "side": np.array(json.dumps(side)),
           "rounds": np.array([part.rounds, part.expanded, len(part.states)], np.int64),
           "limits": np.array([part.front.floor, part.front.resolution])}
    out |= _under("front", _front_arrays(part.front))
    for i, state in enumerate(part.states):
        out |= _under(str(i), _state_arrays(state))
    return out


def _part(arrays: Arrays, recode: np.ndarray) -> Part:
    path = tuple(
        Reduction(tuple(map(Expr.parse, r["columns"])), tuple(r["names"]), Expr.parse(r["outer"]), Expr.parse(r["inner"]), r["reason"])
        for r in json.loads(str(arrays["path"]))
    )
    rounds, expanded, count = arrays["rounds"].tolist()
    given = json.loads(str(arrays["side"]))
    side = given and Partition(given[0], tuple(given[1]), tuple(given[2]))
    names = side.left if side else path[-1].names
    states = tuple(_state(_below(arrays, str(i)), names, recode) for i in range(count))
    return Part(path, side, states, _front(_below(arrays, "front"), *arrays["limits"].tolist()), rounds, bool(expanded))


def _front_arrays(front: Front) -> Arrays:
    return {"text": np.array([str(c.expr) for c in front], dtype=np.str_),
            "measure": np.array([[c.complexity, c.loss] for c in front], float).reshape(-1, 2)}


def _front(arrays: Arrays, floor: float, resolution: float) -> Front:
    measures = zip(arrays["text"].tolist(), arrays["measure"].tolist(), strict=True)
    return Front(floor=floor, resolution=resolution).merged(Candidate(Expr.parse(text), int(c), loss) for text, (c, loss) in measures)


def _batch_arrays(batch: Batch) -> Arrays:
    return {f: getattr(batch, f) for f in BATCH}


def _batch(arrays: Arrays, names: tuple[str, ...], recode: np.ndarray) -> Batch:
    code, arg, value, offset = (arrays[f] for f in BATCH)
    return Batch(recode[code], arg, value, offset, names)


def _under(prefix: str, arrays: Arrays) -> Arrays:
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def _below(arrays: Arrays, prefix: str) -> Arrays:
    return {name.removeprefix(f"{prefix}/"): array for name, array in arrays.items() if name.startswith(f"{prefix}/")}
