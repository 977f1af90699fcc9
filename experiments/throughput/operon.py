"""Our expressions as pyoperon trees: shared by the comparisons in `experiments/throughput` and `experiments/constants`.

Operon keeps postfix order with the operands reversed, and gives every variable a coefficient (1 here).
"""

import numpy as np
import pyoperon as operon

from symnum.language.batch import Batch
from symnum.language.ops import CONST, NUMBER, VAR, by_code

NODE = {"add": "Add", "sub": "Sub", "mul": "Mul", "div": "Div", "sin": "Sin", "cos": "Cos", "exp": "Exp", "log": "Log",
        "sqrt": "Sqrt", "square": "Square"}
KEPT: list[np.ndarray] = []  # Operon's data sets are views


def dataset(X: np.ndarray) -> operon.Dataset:
    """The columns of X (rows, columns) as Operon's X1, X2, …"""
    KEPT.append(np.asfortranarray(X, dtype=np.float32))
    return operon.Dataset(KEPT[-1])


def trees(batch: Batch, data: operon.Dataset) -> list[operon.Tree]:
    """One tree per expression, whose coefficients are the free constants."""
    hashes = [v.Hash for v in sorted(data.Variables, key=lambda v: v.Index)]
    return [_tree(batch, p, hashes) for p in range(len(batch))]


def _tree(batch: Batch, p: int, hashes: list[int]) -> operon.Tree:
    stack: list[list[operon.Node]] = []
    for t in range(batch.offset[p], batch.offset[p + 1]):
        code = int(batch.code[t])
        if code == VAR:
            node = operon.Node(operon.NodeType.Variable, hashes[batch.arg[t]])
            node.Value = 1.0
            node.Optimize = False
            stack.append([node])
        elif code in (CONST, NUMBER):
            node = operon.Node(operon.NodeType.Constant)
            node.Value = float(batch.value[t])
            node.Optimize = code == CONST
            stack.append([node])
        else:
            op = by_code(code)
            node = operon.Node(getattr(operon.NodeType, NODE[op.name]))
            node.Arity = op.arity
            operands = [stack.pop() for _ in range(op.arity)]  # the last operand first
            stack.append([*(n for nodes in operands for n in nodes), node])
    tree = operon.Tree(stack[0])
    tree.UpdateNodes()
    return tree


def with_coefficients(batch: Batch, fitted: list[operon.Tree]) -> Batch:
    """The batch with the coefficients of its trees; their order is that of the reversed operands."""
    value = batch.value.copy()
    for p, tree in enumerate(fitted):
        stack: list[list[int]] = []
        for t in range(batch.offset[p], batch.offset[p + 1]):
            code = int(batch.code[t])
            operands = [stack.pop() for _ in range(by_code(code).arity if code > NUMBER else 0)]
            stack.append([c for o in operands for c in o] + ([t] if code == CONST else []))
        value[stack[0]] = tree.GetCoefficients()
    return batch.with_constants(value[batch.code == CONST])
