"""The layer contract: who may import whom.

    language <- evaluate <- dynamics <- problem <- search <- report <- discovery <- conjecture, equations <- estimator, commands, cli
    encode and numbers on language and evaluate; store and callbacks beside search

An import counts wherever it stands, inside a function or under TYPE_CHECKING too. The few arrows back that are wanted are in
`ALLOWED`, each with its reason. Run as a script it prints the offenders and exits with 1.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

# room or module of symnum -> what it may import besides itself
LOWER = {
    "language": (),
    "evaluate": ("language",),
    "dynamics": ("language", "evaluate"),
    "problem": ("language", "evaluate", "dynamics"),
    "numbers": ("language", "evaluate"),
    "encode": ("language", "evaluate"),
    "search": ("language", "evaluate", "dynamics", "problem", "encode", "store", "callbacks"),
    "store": ("language", "search"),
    "callbacks": ("language", "search"),
    "report": ("language", "evaluate", "problem", "search", "callbacks"),
    "discovery": ("language", "evaluate", "problem", "search", "store", "callbacks", "report"),
    "conjecture": ("language", "evaluate", "problem", "numbers", "search", "store", "callbacks", "report", "discovery"),
    "equations": ("language", "evaluate", "dynamics", "problem", "search", "store", "callbacks", "report", "discovery", "estimator"),
    "data": ("language", "dynamics", "problem"),
    "testing": ("language", "evaluate", "problem"),
}
TOP = ("estimator", "commands", "cli", "__init__", "__main__")  # may import everything below, and each other

# (importing file, imported module) -> why this arrow back is wanted
ALLOWED = {
    ("symnum/language/expr.py", "symnum.evaluate.reference"): "Expr.__call__ evaluates",
    ("symnum/language/expr.py", "symnum.evaluate.torch"): "Expr.torch exports",
}


def imports(tree: ast.AST, package: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of every symnum module that is imported anywhere in a file of the package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "symnum" else [module]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "symnum")


def room(name: str) -> str:
    """The room of a module: `symnum.language.expr` is in `language`; `symnum` alone is the public `__init__`."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def offenders(root: Path = ROOT) -> list[str]:
    """Every arrow that the contract forbids, as `file:line: importer -> imported`."""
    found = []
    for path in sorted((root / "symnum").rglob("*.py")):
        file = path.relative_to(root).as_posix()
        module = file.removesuffix(".py").replace("/", ".")
        package, here = module.rpartition(".")[0], room(module)
        if here not in LOWER and here not in TOP:
            found.append(f"{file}:1: {here} has no place in the layer contract (tests/check_layers.py)")
            continue
        for line, name in imports(ast.parse(path.read_text(encoding="utf-8")), package):
            there = room(name)
            if here in TOP or there == here or there in LOWER[here] or (file, name) in ALLOWED:
                continue
            found.append(f"{file}:{line}: {here} -> {name}")
    return found


def main() -> int:
    """Print the offenders; 1 where there are any."""
    found = offenders()
    print("\n".join(found) if found else "layers: no arrow goes back")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
