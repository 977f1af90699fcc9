"""Symbolic networks as a search: a controller proposes structures, gradient training fills in weights, what remains is read out.

    a network = layers of operators (sin, *, exp …), each on linear forms of the columns and of all nodes before

Such a network is a differentiable formula, so a gradient tells of hundreds of weights at once which columns and nodes should
enter where; that is for laws of many columns with affine combinations inside their functions. Many networks of one shape are
trained together (`symnum.search.symnet_torch`), a few dozen steps per `ask`, so that other searches get their turns. At the end
small weights are dropped at several thresholds, and every reading is a shape that is measured like those of other searches,
its constants fitted from the trained weights. The best loss of a structure rewards the controller: a categorical
distribution for every choice (layers, nodes per layer, operators per layer, spread of the first weights), improved by a
risk-seeking policy gradient (Petersen et al. 2021, arXiv:1912.04871). The operators' first probabilities are the grammar's.

Source: Li et al. 2024 (DySymNet, ICML), arXiv:2309.13705, whose controller is a recurrent network and whose networks see only
the layer before; symbolic layers are those of Martius & Lampert 2016, arXiv:1610.02995.
"""

import time
from dataclasses import dataclass, replace

import numpy as np

from symnum.evaluate.cpu import unpacked
from symnum.evaluate.machine import MSE
from symnum.language.batch import Batch
from symnum.language.expr import Expr
from symnum.language.ops import OPS, Op, by_code
from symnum.problem.regression import RegressionProblem
from symnum.search.base import Context
from symnum.search.vary import peel

LINEAR = ("add", "sub", "neg")  # what linear forms contain already
SPREADS = (0.3, 1.0)  # standard deviations of a linear form's first values
RISK = 0.5  # share of the structures, the best, that the controller learns from
ENTROPY = 0.005  # weight of the choices' entropy, against settling early
RATE = 0.3  # step of the controller: a batch of structures is small, and a run sees only tens of batches
GONE = -1e9  # logit of an option that there is not


@dataclass(frozen=True, slots=True)
class Networks:
    """Networks in training and what the controller has learnt: plain arrays.

    Attributes:
        logit: (choices, options) of the controller.
        choice: (structures, choices) options taken; empty before the first networks.
        weight: (K, parameters) float32, the K = structures * restarts networks, those of a structure together.
        slope, square: (K, parameters) running means of the gradient and of its square.
        norm: (K,) running mean of the gradient's norm.
        origin: (P,) the network of every shape asked, until their losses are told.
        step: training steps done; generation: batches of networks begun.
        finished: whether there is nothing to do, as the grammar or the task does not allow it.
    """

    logit: np.ndarray
    choice: np.ndarray
    weight: np.ndarray
    slope: np.ndarray
    square: np.ndarray
    norm: np.ndarray
    origin: np.ndarray
    step: int = 0
    generation: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape of the networks: where the choices and the parameters of each stand.

    Every node has two linear forms (of one argument the second is not used) of [columns, nodes of all layers before, 1]; the output
    is a linear form of [columns, nodes, 1]. Parameters are those forms, one after the other.

    >>> layout = Layout(columns=3, layers=2, width=2, operators=5)
    >>> layout.inputs(1), layout.parameters, layout.choices
    (6, 48, 8)
    """

    columns: int
    layers: int
    width: int
    operators: int

    @property
    def nodes(self) -> int:
        """Nodes of a network, in use or not."""
        return self.layers * self.width

    def inputs(self, layer: int) -> int:
        """Inputs of the linear forms of a layer; `layers` itself stands for the output."""
        return self.columns + layer * self.width + 1

    def forms(self, layer: int) -> int:
        """Linear forms of a layer."""
        return 1 if layer == self.layers else 2 * self.width

    def block(self, layer: int) -> slice:
        """Where the parameters of a layer stand."""
        start = sum(self.forms(i) * self.inputs(i) for i in range(layer))
        return slice(start, start + self.forms(layer) * self.inputs(layer))

    @property
    def parameters(self) -> int:
        """Parameters of a network."""
        return self.block(self.layers).stop

    @property
    def choices(self) -> int:
        """Choices that make a structure: layers, first weights (spread, centred or not), nodes per layer, operator of each node."""
        return 2 + self.layers + self.nodes

    def row(self) -> np.ndarray:
        """(choices,) the row of the controller's logits that each choice is drawn by: the nodes of a layer share one."""
        widths = 2 + np.arange(self.layers)
        return np.concatenate([[0, 1], widths, np.repeat(2 + self.layers + np.arange(self.layers), self.width)])

    def used(self, choice: np.ndarray) -> np.ndarray:
        """Which choices matter (structures, choices), given the number of layers and of nodes."""
        depth, widths = choice[:, :1] + 1, choice[:, 2 : 2 + self.layers] + 1
        layer, place = np.divmod(np.arange(self.nodes), self.width)
        deep = np.arange(self.layers) < depth
        on = deep[:, layer] & (place < widths[:, layer])
        return np.concatenate([np.ones((len(choice), 2), bool), deep, on], axis=1)

    def node_operators(self, choice: np.ndarray) -> np.ndarray:
        """(structures, nodes) positions of the nodes' operators, -1 for a node that is not there."""
        start = 2 + self.layers
        return np.where(self.used(choice)[:, start:], choice[:, start:], -1)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The operators that nodes may have.

    Attributes:
        operators: those of the grammar that torch can differentiate.
        prior: (n,) their shares in the grammar.
        above: (n, n) whether the first may stand above the second, at any depth.
    """

    operators: tuple[Op, ...]
    prior: np.ndarray
    above: np.ndarray

    @classmethod
    def of(cls, context: Context) -> "Vocabulary":
        """Finds out by trial what the grammar allows."""
        rules, x, c = context.rules, context.rules.names[0], 1.5
        form = (x, c, OPS["mul"], c, OPS["add"])

        def applied(op: Op, inner: tuple) -> tuple:
            return (*inner, op) if op.arity == 1 else (*inner, *form, op)

        def allowed(tokens: list[tuple]) -> np.ndarray:
            return rules.complexity(Batch.pack([Expr(t) for t in tokens], rules.names)) > 0

        ops = [op for op in map(by_code, rules.operator_codes) if op.name not in LINEAR and op.torch and set(op.derivative) - {"0"}]
        ops.sort(key=lambda op: op.name)  # a saved state then holds in a process that numbers operators differently
        known = allowed([applied(op, form) for op in ops]) if ops else np.zeros(0, bool)
        ops = [op for op, ok in zip(ops, known, strict=True) if ok]
        scaled = [(*applied(op, form), c, OPS["mul"], c, OPS["add"]) for op in ops]
        above = np.array([allowed([applied(outer, inner) for inner in scaled]) for outer in ops]).reshape(len(ops), len(ops))
        roots = rules.code[rules.start[1:] - 1]
        prior = np.array([max(rules.probability[0, roots == op.code].sum(), 1e-3) for op in ops])
        return cls(tuple(ops), prior / prior.sum(), above)


class SymNet:
    """Symbolic networks, trained in batches.

    The networks are small and float32; what comes of them is measured in float64. For squared errors, no units, and grammars that
    have sums and products; elsewhere it has nothing to offer and says so at once. torch is imported when it is first asked.

    Args:
        structures: structures trained together.
        restarts: networks per structure.
        layers, width: layers at most, nodes per layer at most.
        steps: training steps of a network.
        work: training steps per `ask`.
        learns: whether the controller is improved, or proposes by the grammar's shares for ever.
    """

    name = "symnet"
    simplifies = False

    def __init__(self, structures: int = 16, restarts: int = 2, layers: int = 2, width: int = 4, steps: int = 300, work: int = 150,
                 learns: bool = True):
        for what, value in (("structures", structures), ("restarts", restarts), ("layers", layers), ("width", width), ("work", work),
                            ("steps", steps)):
            if value < 1:
                msg = f"{what} must be a whole number of at least 1, got {value}"
                raise ValueError(msg)
        self.structures, self.restarts, self.layers, self.width, self.steps, self.work = structures, restarts, layers, width, steps, work
        self.learns = learns
        self._of: tuple = ()
        self._memo: tuple = ()

    def views(self, context: Context) -> tuple[str, ...]:
        return ("",)

    def start(self, context: Context, rng: np.random.Generator) -> Networks:
        if not _applicable(context):
            return _state(np.zeros((0, 0)), finished=True)
        vocabulary, layout, _ = self._desk(context)
        if not vocabulary.operators:
            return _state(np.zeros((0, 0)), finished=True)
        rows, options = layout.row().max() + 1, max(layout.layers, layout.width, 2 * len(SPREADS), layout.operators)
        logit = np.full((rows, options), GONE)
        logit[0, : layout.layers] = 0.0
        logit[1, : 2 * len(SPREADS)] = 0.0
        logit[2 : 2 + layout.layers, : layout.width] = 0.0
        logit[2 + layout.layers :, : layout.operators] = np.log(vocabulary.prior)
        return _state(logit)

    def ask(self, context: Context, state: Networks, n: int, rng: np.random.Generator) -> tuple[Networks, Batch]:
        """A stretch of training; shapes at its end, none before. Past the deadline nothing is begun."""
        nothing = Batch.empty(context.rules.names)
        if state.finished or (context.deadline is not None and time.monotonic() > context.deadline):
            return state, nothing
        from symnum.search.symnet_torch import read_out

        vocabulary, layout, data = self._desk(context)
        if state.step == 0:
            state = self._begun(layout, state, rng)
        trainer = self._trainer(context, state)
        until = min(state.step + self.work, self.steps)
        arrays, step = trainer.train((state.weight, state.slope, state.square, state.norm), state.step, until, context.deadline)
        state = replace(state, **dict(zip(("weight", "slope", "square", "norm"), arrays, strict=True)), step=step)
        if step < self.steps:
            return state, nothing
        found = read_out(trainer, state.weight, data, context.rules.names)
        batch, origin = Batch.pack([e for e, _ in found], context.rules.names), np.array([k for _, k in found], np.int64)
        batch = peel(batch)
        good = np.flatnonzero(context.admissible_shapes(batch) > 0)
        batch, origin = batch.take(good), origin[good]
        _, first = np.unique(batch.structural_hash(), return_index=True)
        first = np.sort(first)[:n]
        state = replace(state, origin=origin[first], step=0)
        if len(first) == 0:
            return self._improved(layout, state, np.zeros(len(state.choice))), nothing
        return state, batch.take(first)

    def tell(self, context: Context, state: Networks, batch: Batch, loss: np.ndarray, rng: np.random.Generator) -> Networks:
        """The reward of a structure is 1 / (1 + RMSE / spread of y) of its best shape, 0 where none could be measured."""
        _, layout, data = self._desk(context)
        spread = data.target_spread**2 * context.problem.loss_scale
        with np.errstate(all="ignore"):
            reward = np.where(np.isfinite(loss), 1 / (1 + np.sqrt(np.maximum(loss, 0) / spread)), 0.0)
        best = np.zeros(len(state.choice))
        np.maximum.at(best, state.origin // self.restarts, reward)
        return self._improved(layout, state, best)

    def welcome(self, context: Context, state: Networks, migrants: Batch, blocks: Batch | None = None) -> Networks:
        """Networks have no use for formulas of others."""
        return state

    # the controller -----------------------------------------------------------------------------------------------------
    def _begun(self, layout: Layout, state: Networks, rng: np.random.Generator) -> Networks:
        """New structures from the controller, with random weights."""
        row = layout.row()
        logit = state.logit[row]
        gumbel = rng.gumbel(size=(self.structures, *logit.shape))
        choice = (logit + gumbel).argmax(axis=2)
        K = self.structures * self.restarts
        spread = np.repeat(np.array(SPREADS)[choice[:, 1] % len(SPREADS)], self.restarts)
        weight = np.zeros((K, layout.parameters), np.float32)
        for layer in range(layout.layers + 1):
            block = layout.block(layer)
            scale = spread / np.sqrt(layout.inputs(layer))
            weight[:, block] = rng.standard_normal((K, block.stop - block.start)) * scale[:, None]
        zero = np.zeros_like(weight)
        return replace(state, choice=choice, weight=weight, slope=zero, square=zero, norm=np.zeros(K, np.float32),
                       origin=np.zeros(0, np.int64), generation=state.generation + 1)

    def _improved(self, layout: Layout, state: Networks, reward: np.ndarray) -> Networks:
        """The controller after a step up the risk-seeking policy gradient: only the best structures count."""
        state = replace(state, origin=np.zeros(0, np.int64))
        if not self.learns:
            return state
        limit = np.quantile(reward, 1 - RISK)
        advantage = np.maximum(reward - limit, 0.0)
        if advantage.max() > 0:
            advantage /= advantage.max()  # rewards differ little where all fit badly
        return replace(state, logit=improved(state.logit, layout.row(), state.choice, layout.used(state.choice), advantage))

    # memos of the state -------------------------------------------------------------------------------------------------
    def _desk(self, context: Context) -> tuple:
        if not context.same(self._of):
            vocabulary = Vocabulary.of(context)
            layout = Layout(len(context.rules.names), self.layers, self.width, len(vocabulary.operators))
            self._of, self._memo = context.task, (vocabulary, layout, Standard.of(context))
        return self._memo

    def _trainer(self, context: Context, state: Networks):
        from symnum.search.symnet_torch import Trainer

        vocabulary, layout, data = self._desk(context)
        choice = np.repeat(state.choice, self.restarts, axis=0)
        return Trainer(layout, vocabulary, layout.node_operators(choice), choice[:, 1] >= len(SPREADS), data, self.steps)


@dataclass(frozen=True, slots=True)
class Standard:
    """The search rows in standard units.

    Attributes:
        X: (rows, columns) columns over their spread; middle: (columns,) their means; spread: (columns,) in the problem's units.
        y: (rows,) target of mean 0 and spread 1; weight: (rows,) of sum 1; target_spread: in the problem's units.
    """

    X: np.ndarray
    middle: np.ndarray
    spread: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    target_spread: float

    @classmethod
    def of(cls, context: Context) -> "Standard":
        """Standard units of a problem; a column or target that does not vary keeps its own."""
        X, y, weight = unpacked(context.problem.search)
        spread = np.sqrt(np.maximum(weight @ (X - weight @ X) ** 2, 0.0))
        spread = np.where(spread > 1e-9 * np.abs(X).max(axis=0), spread, np.maximum(np.abs(X).max(axis=0), 1e-300))
        centred = y - weight @ y
        size = float(np.sqrt(weight @ centred**2)) or 1.0
        X = X / spread
        return cls(X, weight @ X, spread, centred / size, weight, size)


def improved(logit: np.ndarray, row: np.ndarray, choice: np.ndarray, used: np.ndarray, advantage: np.ndarray) -> np.ndarray:
    """Logits after one step up the policy gradient.

    Args:
        logit: (rows, options); row: (choices,) the row of each choice.
        choice: (S, choices) options taken; used: (S, choices) whether they mattered.
        advantage: (S,) how much better than the others.

    >>> new = improved(np.zeros((1, 2)), np.array([0]), np.array([[0], [1]]), np.ones((2, 1), bool), np.array([0.0, 1.0]))
    >>> bool(new[0, 1] > new[0, 0])
    True
    """
    p = np.exp(logit - logit.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    taken = np.zeros((len(choice), *logit.shape))
    weight = used * advantage[:, None] / max(advantage.sum(), 1e-12)
    s, c = np.nonzero(used)
    np.add.at(taken, (s, row[c], choice[s, c]), weight[s, c])
    drawn = np.zeros((len(choice), len(logit)))
    np.add.at(drawn, (s, row[c]), weight[s, c])
    gradient = taken.sum(axis=0) - drawn.sum(axis=0)[:, None] * p
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.where(p > 0, np.log(p), 0.0)
    entropy = -p * (log - (p * log).sum(axis=1, keepdims=True))
    return np.where(logit > GONE / 2, logit + RATE * (gradient + ENTROPY * entropy), GONE)


def _state(logit: np.ndarray, finished: bool = False) -> Networks:
    none, single = np.zeros((0, 0), np.int64), np.zeros((0, 0), np.float32)
    return Networks(logit, none, single, single, single, np.zeros(0, np.float32), np.zeros(0, np.int64), finished=finished)


def _applicable(context: Context) -> bool:
    """Whether the task is a table under squared errors, without units, and the grammar has sums and products."""
    problem = context.problem
    squares = isinstance(problem, RegressionProblem) and problem.loss.kind == MSE and problem.loss.function is None
    has = {by_code(code).name for code in context.rules.operator_codes}
    return squares and context.typing is None and context.scaled and {"add", "mul"} <= has and len(context.rules.names) > 0
