"""Balance reactions: the smallest coefficients, the family they belong to, and the reason where there are none.

Coefficients are positive integers x with A x = 0, A the matrix of elements (and charge) by species. Balanced is the solution of least
sum, ties going to the lexicographically first in the order of the species, which makes it canonical and coprime; it is found, and proved
least, in exact arithmetic (`symnum.numbers.integer_program`). Where the solutions are more than the multiples of one, the family lists
the Hilbert basis: every balance, coefficients of 0 allowed, is a sum of its members.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from symnum.conjecture.reactions.chemistry import ELEMENTS, Species
from symnum.conjecture.reactions.reaction import CHARGE, Reaction, read_reaction
from symnum.numbers.integer_program import certificate, feasible, smallest
from symnum.numbers.nullspace import Vector, hilbert_basis, nullspace

HILBERT, LATTICE = "Hilbert basis", "lattice basis"
_REMEDY_SPECIES = 24  # above this no search for species to move is made


@dataclass(frozen=True)
class Balance:
    """A balanced reaction.

    `coefficients`: one per species of `reaction`, left ones first. `proved`: no balance has a smaller sum (False only for reactions so
    large that the search was cut). `nullity`: the dimension of the space of solutions. `family`: its generators, in the same order;
    `family_kind` is "Hilbert basis" (every balance is a sum of them) or, where that is too large, "lattice basis" (every balance is a sum
    of integer multiples of them, some of which may be negative).
    """

    reaction: Reaction
    coefficients: Vector
    proved: bool
    nullity: int
    family: tuple[Vector, ...]
    family_kind: str

    @property
    def unique(self) -> bool:
        """Whether all balances are multiples of this one."""
        return self.nullity == 1

    @property
    def text(self) -> str:
        """The balanced equation, coefficients 1 left out."""
        return equation(self.reaction, self.coefficients)

    @property
    def latex(self) -> str:
        r"""The equation for LaTeX's mhchem package: `\ce{…}`."""
        return rf"\ce{{{_equation(self.reaction, self.coefficients, latex=True)}}}"

    @property
    def net(self) -> str:
        """The equation with what stands on both sides cancelled; empty where nothing does."""
        reaction = self.reaction
        if not set(reaction.left) & set(reaction.right):
            return ""
        change = dict.fromkeys(reaction.species, 0)
        for i, (species, x) in enumerate(zip(reaction.species, self.coefficients, strict=True)):
            change[species] += x if i < len(reaction.left) else -x
        left, right = tuple(s for s in change if change[s] > 0), tuple(s for s in change if change[s] < 0)
        if not left and not right:
            return "no change"
        return equation(Reaction(left, right, reaction.reversible), [abs(change[s]) for s in left + right])

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values for JSON."""
        return {
            "text": self.text,
            "latex": self.latex,
            "left": [s.text for s in self.reaction.left],
            "right": [s.text for s in self.reaction.right],
            "coefficients": list(self.coefficients),
            "sum": sum(self.coefficients),
            "proved_smallest": self.proved,
            "nullity": self.nullity,
            "unique": self.unique,
            "family_kind": self.family_kind,
            "family": [list(v) for v in self.family],
            "family_text": [equation(self.reaction, v) for v in self.family],
            "net": self.net,
            "notes": list(self.reaction.notes),
        }

    def __str__(self) -> str:
        return self.text


def balance(text: str) -> Balance:
    """The canonical balance of a reaction such as `KMnO4 + HCl -> KCl + MnCl2 + H2O + Cl2`; spellings: see `chemistry` and `reaction`.

    Raises:
        ValueError: a reaction that cannot be read, or one without a balance; the message then gives a conserved quantity that shows it,
            and what would balance (without a species, with one moved to the other side, with electrons) where there is such a thing.

    >>> print(balance("KMnO4 + HCl -> KCl + MnCl2 + H2O + Cl2"))
    2 KMnO4 + 16 HCl -> 2 KCl + 2 MnCl2 + 8 H2O + 5 Cl2
    >>> mixture = balance("C + O2 -> CO + CO2")
    >>> mixture.text, mixture.unique, [equation(mixture.reaction, v) for v in mixture.family]
    ('3 C + 2 O2 -> 2 CO + CO2', False, ['C + O2 -> CO2', '2 C + O2 -> 2 CO'])
    >>> balance("CO -> CO2")
    Traceback (most recent call last):
    ...
    ValueError: CO -> CO2 has no balance: C − O is conserved, but it is 0 on the left and −1 in CO2 on the right
    """
    reaction = read_reaction(text)
    names, rows = reaction.matrix()
    n = len(reaction.species)
    solution = smallest(rows, (1,) * n)
    if solution is None:
        raise ValueError(_refusal(reaction, names, rows))
    basis = nullspace(rows, n)
    family = basis if len(basis) == 1 else hilbert_basis(rows, n)
    if family is None:
        return Balance(reaction, solution.x, solution.proved, len(basis), basis, LATTICE)
    return Balance(reaction, solution.x, solution.proved, len(basis), family, HILBERT)


def equation(reaction: Reaction, coefficients: Sequence[int]) -> str:
    """A reaction with coefficients as text: species with 0 are left out, those with a negative one change sides."""
    return _equation(reaction, coefficients, latex=False)


def _equation(reaction: Reaction, coefficients: Sequence[int], latex: bool) -> str:
    sides: tuple[list[str], list[str]] = ([], [])
    for i, (species, x) in enumerate(zip(reaction.species, coefficients, strict=True)):
        if x:
            on_right = (i >= len(reaction.left)) != (x < 0)
            formula = species.latex if latex else species.text
            sides[on_right].append(formula if abs(x) == 1 else f"{abs(x)} {formula}")
    arrow = "<=>" if reaction.reversible else "->"
    return f" {arrow} ".join(" + ".join(side) if side else "0" for side in sides)


def _refusal(reaction: Reaction, names: Sequence[str], rows: Sequence[Vector]) -> str:
    """Why there is no balance, and what comes nearest."""
    y = certificate(rows, (1,) * len(reaction.species))
    assert y is not None  # Farkas: one of the two exists
    given = equation(reaction, (1,) * len(reaction.species))
    remedy = next(_remedies(reaction, names, rows), "")
    notes = "".join(f"; {note}" for note in reaction.notes)
    return f"{given} has no balance: {_reason(reaction, names, rows, y)}{remedy}{notes}"


def _reason(reaction: Reaction, names: Sequence[str], rows: Sequence[Vector], y: Vector) -> str:
    """The certificate in words: a conserved quantity that is never < 0 on one side, never > 0 on the other, and not always 0."""
    used = [i for i, a in enumerate(y) if a]
    if next(a for a in y if a) < 0:
        y = tuple(-a for a in y)
    signs = [1] * len(reaction.left) + [-1] * len(reaction.right)
    amounts = [s * sum(a * row[j] for a, row in zip(y, rows, strict=True)) for j, s in enumerate(signs)]
    left, right = amounts[: len(reaction.left)], amounts[len(reaction.left) :]
    if len(used) == 1 and names[used[0]] != CHARGE:
        symbol = names[used[0]]
        return f"{ELEMENTS[symbol]} ({symbol}) stands only on the {'left' if any(left) else 'right'}"
    quantity = _combination(names, y)
    both = f"{_amounts(reaction.left, left)} on the left and {_amounts(reaction.right, right)} on the right"
    return f"{quantity} is conserved, but it is {both}" if len(used) > 1 else f"the charge is {both}"


def _combination(names: Sequence[str], y: Vector) -> str:
    terms = [(a, names[i]) for i, a in enumerate(y) if a]
    text = "".join(f" {'−' if a < 0 else '+'} {'' if abs(a) == 1 else f'{abs(a)}·'}{name}" for a, name in terms)
    return text.removeprefix(" + ")


def _amounts(species: Sequence[Species], amounts: Sequence[int]) -> str:
    """`0`, or the amounts that are not 0, with their species."""
    shown = [f"{str(a).replace('-', '−')} in {s.text}" for s, a in zip(species, amounts, strict=True) if a]
    return ", ".join(shown) + (", else 0" if len(shown) < len(species) else "") if shown else "0"


def _remedies(reaction: Reaction, names: Sequence[str], rows: Sequence[Vector]) -> Iterator[str]:
    """What would balance, nearest first: with electrons, with some species left out, with some on the other side."""
    n = len(reaction.species)
    if CHARGE in names and (x := smallest(rows[:-1], (1,) * n)):
        charge = sum(a * b for a, b in zip(rows[-1], x.x, strict=True))
        yield f"; the elements alone balance ({equation(reaction, x.x)}), electrons are missing on the {'left' if charge > 0 else 'right'}"
    basis = nullspace(rows, n)
    if not basis:
        return
    if len(basis) == 1:
        yield _changed(reaction, min(basis[0], tuple(-a for a in basis[0]), key=lambda v: sum(a < 0 for a in v)))
        return
    vanishing = [j for j in range(n) if not feasible(rows, tuple(int(i == j) for i in range(n)))]  # 0 in every solution >= 0
    if len(vanishing) > 1:
        yield from _moves(reaction, rows, 1)
    if len(vanishing) < n:
        rest = smallest(rows, tuple(int(j not in vanishing) for j in range(n)))
        assert rest is not None  # each species of the rest has a solution with it, and the sum of these has all
        yield _changed(reaction, rest.x)
    yield from _moves(reaction, rows, 2)


def _moves(reaction: Reaction, rows: Sequence[Vector], size: int) -> Iterator[str]:
    """The ways to balance, no species left out, with `size` of them on the other side."""
    n = len(reaction.species)
    for moved in combinations(range(n), size) if n <= _REMEDY_SPECIES else ():
        flipped = [tuple(-a if j in moved else a for j, a in enumerate(row)) for row in rows]
        if feasible(flipped, (1,) * n) and (found := smallest(flipped, (1,) * n)):
            yield _changed(reaction, tuple(-a if j in moved else a for j, a in enumerate(found.x)))


def _changed(reaction: Reaction, x: Vector) -> str:
    """The balance x of the reaction without the species of coefficient 0 and with those of negative ones on the other side."""
    zero, negative = [j for j, a in enumerate(x) if not a], [j for j, a in enumerate(x) if a < 0]
    changes = [f"with {_names(reaction, negative)} on the other side"] if negative else []
    changes += [f"without {_names(reaction, zero)}"] if zero else []
    return f"; {' and '.join(changes)} it balances: {equation(reaction, x)}"


def _names(reaction: Reaction, chosen: Sequence[int]) -> str:
    return ", ".join(reaction.species[j].text for j in chosen)
