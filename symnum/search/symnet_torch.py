"""Symbolic networks in torch: many at once, trained by gradients, and read out as formulas.

All networks of a batch have one shape; they differ in which operator stands at which node. Linear forms of all networks are one
matrix product; nodes of one operator are gathered, so that every operator is computed only where it stands.

Training has three parts. Weights fit the data; then the smoothed L0.5 penalty drives useless ones to zero; then small ones are
dropped, and the others fit the data again. Gradients are clipped at the running mean of their norm, network by network
(Li et al. 2024, arXiv:2309.13705: 0.1 of the mean of the last 50). Operators outside their domain are kept at its edge and
the way there is penalised (Sahoo et al. 2018, arXiv:1806.07259, for quotients); what is read out is the true operator.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from symnum.language.expr import Expr
from symnum.language.ops import INF, OPS, Op, compile_spelling
from symnum.search.symnet import Layout, Standard, Vocabulary

FIT, SPARSE = 0.4, 0.8  # shares of the steps at whose end the penalty begins, and at whose end small weights are dropped
RATES = 0.03, 0.003  # learning rate at the beginning and at the end of each part
FIRST, SECOND = 0.9, 0.98  # memories of the running means of gradient and square (Kingma & Ba 2015, arXiv:1412.6980)
PENALTY = 5e-3  # weight of the sum of smoothed |w|^0.5, the target's variance being 1
ROUND = 0.01  # below this |w| is replaced by a polynomial that is smooth at zero
DROPPED = 0.05  # weights below this are dropped before the last part
CLIP, MEMORY = 1.0, 0.98  # largest gradient in terms of the mean norm, and the memory of that mean (50 steps)
OUTSIDE = 0.1  # weight of the mean distance from an operator's domain
EDGE = 0.5, 20.0  # distance kept from the edge of an open domain, at first; how many times nearer at the end, about
STEEP = frozenset({"exp", "sinh", "cosh", "power"})
STEEPEST = 6.0  # arguments of steep functions are kept within: e^6 standard deviations
LARGEST = 1e4  # values of nodes are kept within
THRESHOLDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.15, 0.25, 0.4)  # read without contributions below, relative to their form's largest
NEAR_ONE = 0.05  # ratios of coefficients so near ±1 are tried as ±1
POWERS = frozenset({"inv", "square", "cube", "sqrt", "cbrt", "abs"})  # f(a*x) is f(a)*f(x): a factor of the argument may leave
POSITIVE = frozenset({"sqrt", "log"})  # … where it is positive
ADD, SUB, MUL, DIV = (OPS[n] for n in ("add", "sub", "mul", "div"))

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


class Trainer:
    """A batch of networks and the data they are trained on.

    Args:
        layout, vocabulary: shape and operators.
        operator: (K, nodes) positions in the vocabulary, -1 for a node that is not there.
        centred: (K,) whether columns are centred while the network is young: better scaled, but products need the means back.
        data: rows in standard units.
        steps: of a whole training.
    """

    def __init__(self, layout: Layout, vocabulary: Vocabulary, operator: np.ndarray, centred: np.ndarray, data: Standard, steps: int):
        self.layout, self.vocabulary, self.operator, self.steps, self.data = layout, vocabulary, operator, steps, data
        self.X, self.y, self.middle, self.row_weight = (
            torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (data.X.T, data.y, data.middle, data.weight))
        self.centred = torch.from_numpy(centred.astype(np.float32))
        self.allowed = torch.from_numpy(structure_mask(layout, vocabulary, operator))
        self.pruned_at = round(SPARSE * steps)
        self._functions = [compile_spelling(op, "torch") for op in vocabulary.operators]
        self._places = [self._grouped(layer) for layer in range(layout.layers)]

    def _grouped(self, layer: int) -> tuple[list[int], list[int], Tensor, Tensor]:
        """Operators of a layer, how many nodes each has, all networks' nodes in their order, and where each node then is."""
        W = self.layout.width
        operator = self.operator[:, layer * W : (layer + 1) * W].ravel()
        order = np.argsort(operator, kind="stable")
        kinds, counts = np.unique(operator, return_counts=True)
        return kinds.tolist(), counts.tolist(), torch.from_numpy(order), torch.from_numpy(np.argsort(order, kind="stable"))

    # values -----------------------------------------------------------------------------------------------------------------
    def effective(self, weight: Tensor, centred: Tensor) -> Tensor:
        """Weights (K, parameters) on columns as they are: those of centred columns with the means taken into the last weight."""
        parts = []
        for layer in range(self.layout.layers + 1):
            w = self._forms(weight, layer)
            shift = w[..., : self.layout.columns] @ self.middle * centred[:, None]
            parts.append(torch.cat([w[..., :-1], (w[..., -1] - shift)[..., None]], dim=2).flatten(1))
        return torch.cat(parts, dim=1)

    def _forms(self, weight: Tensor, layer: int) -> Tensor:
        block = weight[:, self.layout.block(layer)]
        return block.reshape(len(weight), self.layout.forms(layer), self.layout.inputs(layer))

    def values(self, weight: Tensor, edge: float) -> tuple[Tensor, Tensor, Tensor]:
        """Outputs (K, rows), nodes (K, nodes, rows) and the mean distance from domains (K,) of effective weights."""
        K, V, n = len(weight), self.layout.columns, self.X.shape[1]
        nodes, outside = self.X.new_zeros(K, 0, n), self.X.new_zeros(K)
        for layer in range(self.layout.layers + 1):
            w = self._forms(weight, layer)
            z = (w[..., :V].reshape(-1, V) @ self.X).view(K, -1, n) + w[..., -1:]
            if layer:
                z = z + w[..., V:-1] @ nodes
            if layer == self.layout.layers:
                break
            kinds, counts, order, back = self._places[layer]
            sorted_z = z.reshape(K * self.layout.width, 2, n).index_select(0, order)
            done, far = [], []
            for k, part in zip(kinds, sorted_z.split(counts), strict=True):
                value, excess = self._applied(k, part, edge) if k >= 0 else (torch.zeros_like(part[:, 0]), None)
                done.append(value)
                far.append(part.new_zeros(len(part)) if excess is None else excess @ self.row_weight)
            outside = outside + torch.cat(far).index_select(0, back).view(K, -1).sum(dim=1)
            value = torch.cat(done).index_select(0, back).clamp(-LARGEST, LARGEST)
            nodes = torch.cat([nodes, value.view(K, self.layout.width, n)], dim=1)
        return z[:, 0], nodes, outside

    def _applied(self, k: int, z: Tensor, edge: float) -> tuple[Tensor, Tensor | None]:
        """An operator on arguments (nodes, 2, rows), kept within its domain; and how far they were outside, if they can be."""
        op, excess, arguments = self.vocabulary.operators[k], None, []
        for i, a in enumerate(z.unbind(1)[: op.arity]):
            low, high = _bounds(op, i, edge)
            if low > -INF or high < INF:
                inside = a.clamp(low if low > -INF else None, high if high < INF else None)
                distance = (a - inside).abs()
                a, excess = inside, distance if excess is None else excess + distance
            arguments.append(a)
        return self._functions[k](*arguments), excess

    # training ---------------------------------------------------------------------------------------------------------------
    def train(self, arrays: Arrays, step: int, until: int, deadline: float | None) -> tuple[Arrays, int]:
        """Training steps `step` to `until` on (weight, slope, square, norm); fewer where the deadline (monotonic seconds) passes.

        Returns:
            the arrays, and the steps done.
        """
        with _one_thread():
            weight, slope, square, norm = (torch.from_numpy(a.copy()) for a in arrays)
            mask = self._mask(weight, step)
            while step < until and (deadline is None or time.monotonic() < deadline):
                if step == self.pruned_at:
                    weight, slope, square = self._pruned(weight), torch.zeros_like(slope), torch.zeros_like(square)
                    mask = self._mask(weight, step)
                weight, slope, square, norm = self._stepped(weight, slope, square, norm, mask, step)
                step += 1
            return (weight.numpy(), slope.numpy(), square.numpy(), norm.numpy()), step

    def _mask(self, weight: Tensor, step: int) -> Tensor:
        return self.allowed if step < self.pruned_at else self.allowed * (weight != 0)

    def _stepped(
        self, weight: Tensor, slope: Tensor, square: Tensor, norm: Tensor, mask: Tensor, step: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        part, since, length = self._part(step)
        leaf = (weight * mask).requires_grad_()
        with torch.enable_grad():
            on = self.effective(leaf, self.centred) if part < 2 else leaf
            out, _, outside = self.values(on, EDGE[0] / (1 + EDGE[1] * step / self.steps))
            loss = (out - self.y) ** 2 @ self.row_weight + OUTSIDE * outside
            if part == 1:
                loss = loss + PENALTY * min(1.0, 2 * since / length) * (smooth_root(on) * mask).sum(dim=1)
            gradient, = torch.autograd.grad(loss.sum(), leaf)
        gradient = torch.nan_to_num(gradient * mask, 0.0, 0.0, 0.0)
        size = gradient.norm(dim=1)
        mean = torch.where(norm > 0, norm, size)
        gradient = gradient * torch.clamp(CLIP * mean / size.clamp_min(1e-30), max=1.0)[:, None]
        norm = MEMORY * mean + (1 - MEMORY) * torch.minimum(size, 10 * mean)  # one leap does not open the gate for the next
        slope = FIRST * slope + (1 - FIRST) * gradient
        square = SECOND * square + (1 - SECOND) * gradient**2
        t = step - self.pruned_at + 1 if part == 2 else step + 1  # the means began at zero
        rate = RATES[0] * (RATES[1] / RATES[0]) ** (since / length)
        move = slope / (1 - FIRST**t) / ((square / (1 - SECOND**t)).sqrt() + 1e-8)
        return (weight - rate * move) * mask, slope, square, norm

    def _part(self, step: int) -> tuple[int, int, int]:
        """Which part of the training a step is in, how many steps into it, and how long that part is."""
        edges = [0, round(FIT * self.steps), self.pruned_at, self.steps]
        part = int(np.searchsorted(edges[1:3], step, side="right"))
        return part, step - edges[part], max(1, edges[part + 1] - edges[part])

    def _pruned(self, weight: Tensor) -> Tensor:
        on = self.effective(weight * self.allowed, self.centred) * self.allowed
        return torch.where(on.abs() < DROPPED, 0.0, on)

    def spreads(self, weight: np.ndarray) -> np.ndarray:
        """(K, nodes) standard deviations of the nodes' values at the end of a training."""
        with _one_thread(), torch.no_grad():
            nodes = self.values(torch.from_numpy(weight), EDGE[0] / (1 + EDGE[1]))[1]
            return nodes.std(dim=2, correction=0).double().numpy()


def smooth_root(w: Tensor) -> Tensor:
    """|w|^0.5, smooth at zero: |w| below a = 0.01 is replaced by -w⁴/8a³ + 3w²/4a + 3a/8, as in the source above.

    >>> [round(x, 4) for x in smooth_root(torch.tensor([0.0, 0.01, 0.25])).tolist()]
    [0.0612, 0.1, 0.5]
    """
    square, a = w * w, ROUND
    return torch.where(square < a * a, -square * square / (8 * a**3) + 3 * square / (4 * a) + 3 * a / 8, w.abs()).sqrt()


def structure_mask(layout: Layout, vocabulary: Vocabulary, operator: np.ndarray) -> np.ndarray:
    """(K, parameters) float32: 1 where a weight is in use. A node is fed by those before it whose operators may stand below its own."""
    K, n = len(operator), len(vocabulary.operators)
    arity = np.array([op.arity for op in vocabulary.operators] + [0])  # -1 is the last: no node, no argument
    below = np.zeros((K, layout.nodes, n), bool)  # operators that may be in a node's formula
    out = np.zeros((K, layout.parameters), np.float32)
    for layer in range(layout.layers + 1):
        mask = out[:, layout.block(layer)].reshape(K, layout.forms(layer), layout.inputs(layer)).copy()
        before = slice(layout.columns, layout.columns + layer * layout.width)
        there = operator[:, : layer * layout.width] >= 0
        if layer == layout.layers:
            mask[:] = 1.0
            mask[:, :, before] = there[:, None]
        for j in range(layout.width if layer < layout.layers else 0):
            own = operator[:, layer * layout.width + j]
            feeds = there & ~(below[:, : layer * layout.width] & ~vocabulary.above[own][:, None]).any(axis=2)
            for slot in (0, 1):
                used = (arity[own] > slot)[:, None]
                mask[:, 2 * j + slot] = used
                mask[:, 2 * j + slot, before] = used & feeds
            below[:, layer * layout.width + j] = (below[:, : layer * layout.width] & feeds[:, :, None]).any(axis=1)
            below[np.arange(K)[own >= 0], layer * layout.width + j, own[own >= 0]] = True
        out[:, layout.block(layer)] = mask.reshape(K, -1)
    return out


def _bounds(op: Op, i: int, edge: float) -> tuple[float, float]:
    """Between what an operator's i-th argument is kept. Denominators are kept positive: the sign goes into the numerator."""
    domain = op.domain[i]
    if domain.hole is not None:
        return domain.hole + edge, INF
    low, high = domain.low + edge * (domain.low > -INF), domain.high - 0.1 * edge * (domain.high < INF)
    low = low if domain.high == INF else domain.low + 0.1 * edge
    return (max(low, -STEEPEST), min(high, STEEPEST)) if op.name in STEEP else (low, high)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order: the searches are the threads, not their algebra."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# reading out --------------------------------------------------------------------------------------------------------------------
def read_out(trainer: Trainer, weight: np.ndarray, data: Standard, names: tuple[str, ...]) -> list[tuple[Expr, int]]:
    """Formulas of trained networks (up to scale and offset), each with its network's number.

    Every network is read at several thresholds of what is dropped, with ratios near ±1 as they are and as ±1.
    """
    spread, found = trainer.spreads(weight), {}
    good = np.isfinite(weight).all(axis=1) & np.isfinite(spread).all(axis=1)
    for k in np.flatnonzero(good).tolist():
        for threshold in THRESHOLDS:
            for near in (0.0, NEAR_ONE):
                reader = Reader(trainer.layout, trainer.vocabulary, trainer.operator[k], weight[k].astype(float), spread[k], data, names)
                expr = reader.formula(threshold, near)
                if expr is not None and expr.variables:
                    found.setdefault((expr, k), None)
    return list(found)


class Reader:
    """One network as a formula. A term is (factor, tokens, size): what it contributes is about `size`; a number has no tokens."""

    def __init__(
        self, layout: Layout, vocabulary: Vocabulary, operator: np.ndarray, weight: np.ndarray, spread: np.ndarray, data: Standard,
        names: tuple[str, ...],
    ):
        self.layout, self.operators, self.operator, self.spread, self.names, self.data = (
            layout, vocabulary.operators, operator, spread, names, data)
        self.forms = [weight[layout.block(i)].reshape(layout.forms(i), layout.inputs(i)) for i in range(layout.layers + 1)]
        self.threshold = self.near = 0.0
        self._nodes: dict[int, tuple[float, tuple, float]] = {}

    def formula(self, threshold: float, near: float) -> Expr | None:
        """The formula, contributions below `threshold` of the largest dropped, ratios within `near` of ±1 rounded; None without columns."""
        self.threshold, self.near, self._nodes = threshold, near, {}
        with np.errstate(all="ignore"):
            terms, _ = self._terms(self.layout.layers, 0)
            _, tokens = self._sum(terms, 0.0)
        usable = bool(tokens) and all(np.isfinite(t) for t in tokens if isinstance(t, float))
        return Expr(tokens) if usable else None

    def _terms(self, layer: int, form: int) -> tuple[list[tuple[float, tuple, float]], float]:
        """The terms of a linear form, largest first, and its constant."""
        w, V = self.forms[layer][form], self.layout.columns
        terms = [(w[j] / self.data.spread[j], (self.names[j],), abs(w[j])) for j in np.flatnonzero(w[:V]).tolist()]
        constant = float(w[-1])
        for node in np.flatnonzero(w[V:-1]).tolist():
            factor, tokens, offset = self._node(node)
            constant += w[V + node] * offset
            if tokens:
                terms.append((w[V + node] * factor, tokens, abs(w[V + node]) * self.spread[node]))
        terms.sort(key=lambda t: -t[2])
        least = self.threshold * terms[0][2] if terms else 0.0
        return [t for t in terms if t[2] >= least and t[0] != 0], constant if abs(constant) >= least else 0.0

    def _node(self, node: int) -> tuple[float, tuple, float]:
        """A node as factor * tokens + offset."""
        if node not in self._nodes:
            layer, j = divmod(node, self.layout.width)
            op = self.operators[self.operator[node]]
            forms = [self._terms(layer, 2 * j + slot) for slot in range(op.arity)]
            self._nodes[node] = self._applied(op, forms)
        return self._nodes[node]

    def _applied(self, op: Op, forms: list) -> tuple[float, tuple, float]:
        if not any(terms for terms, _ in forms):
            return 0.0, (), float(compile_spelling(op, "numpy")(*(c for _, c in forms)))
        if op is MUL or op is DIV:
            return self._product(op, *forms)
        if op.arity == 2:
            return 1.0, (*self._plain(*forms[0]), *self._plain(*forms[1]), op), 0.0
        terms, constant = forms[0]
        if op.name == "exp":  # exp(f + c) is a multiple of exp(f)
            return float(np.exp(constant)), (*self._plain(terms, 0.0), op), 0.0
        if op.name in POWERS or op.name == "log":
            lead, tokens = self._sum(terms, constant, signed=op.name not in POSITIVE)
            if op.name == "log":
                return 1.0, (*tokens, op), float(np.log(lead))
            return float(compile_spelling(op, "numpy")(lead)), (*tokens, op), 0.0
        sign = 1.0
        if terms[0][0] < 0 and op.laws & {"odd", "even"}:
            terms, constant = [(-f, t, s) for f, t, s in terms], -constant
            sign = -1.0 if "odd" in op.laws else 1.0
        return sign, (*self._plain(terms, constant), op), 0.0

    def _product(self, op: Op, left: tuple, right: tuple) -> tuple[float, tuple, float]:
        (a, first), (b, second) = self._sum(*left), self._sum(*right)
        factor = float(compile_spelling(op, "numpy")(a, b))
        if not second:
            return factor, first, 0.0
        if not first and op is MUL:
            return factor, second, 0.0
        return factor, (*(first or (1.0,)), *second, op), 0.0

    def _sum(self, terms: list, constant: float, signed: bool = True) -> tuple[float, tuple]:
        """A linear form as lead * tokens, the largest term having the factor 1 (or -1, where `lead` must be positive)."""
        if not terms:
            return constant, ()
        lead = terms[0][0] if signed else abs(terms[0][0])
        return lead, self._plain([(f / lead, t, s) for f, t, s in terms], constant / lead)

    def _plain(self, terms: list, constant: float) -> tuple:
        """A linear form as tokens; factors of exactly ±1, or within `near` of it, are not written."""
        if not terms:
            return (float(constant),)
        out: tuple = ()
        for factor, tokens, _ in sorted(terms, key=lambda t: self._unit(t[0]) and t[0] < 0):  # what is taken off comes last
            unit = self._unit(factor)
            part = tokens if unit else (float(factor), *tokens, MUL)
            if unit and factor < 0:
                out = (*out, *part, SUB) if out else (-1.0, *part, MUL)
            else:
                out = (*out, *part, ADD) if out else part
        return (*out, float(constant), ADD) if constant else out

    def _unit(self, factor: float) -> bool:
        return abs(abs(factor) - 1) <= self.near
