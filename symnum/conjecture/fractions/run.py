"""What a search for continued fractions found: relations, by family, with their standing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from symnum.numbers.coboundary import prove
from symnum.numbers.known import anchors, known
from symnum.numbers.ledger_view import View
from symnum.numbers.pcf import PCF
from symnum.numbers.pcf_domain import Domain
from symnum.numbers.pcf_match import Match


@dataclass(frozen=True)
class PcfRelation:
    """A fraction and the value that it was found to have.

    Attributes:
        a, b: coefficients, the highest power first.
        formula: the value.
        coefficients, basis: integers and what each multiplies: their sum of products is 0.
        digits, needed: to which it holds on proven balls, and how many the acceptance rule asks for.
        ball: the value of the fraction with its radius.
        kind, rate: of convergence, see `pcf_match.convergence`.
        family: the same for all that are one fraction inflated or shifted.
        status: conjecture, proved, known or rejected; reason, source, certificate: what goes with it.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]
    formula: str
    coefficients: tuple[int, ...]
    basis: tuple[str, ...]
    digits: int
    needed: int
    ball: str
    kind: str
    rate: float
    family: str
    status: str
    reason: str = ""
    source: str = ""
    certificate: dict[str, Any] | None = None

    @property
    def pcf(self) -> PCF:
        """The fraction."""
        return PCF(self.a, self.b)

    @property
    def height(self) -> int:
        """The largest coefficient of the relation."""
        return max(map(abs, self.coefficients))

    @property
    def text(self) -> str:
        """The relation, written with the fraction's first terms."""
        return f"{self.formula} = {self.pcf}"

    @property
    def latex(self) -> str:
        """The relation in LaTeX."""
        from symnum.numbers.formula import latex

        return f"{latex(self.formula)} = {self.pcf.latex}"

    @property
    def size(self) -> tuple[int, int]:
        """How long it is to write: the simplest member stands for a family."""
        return sum(map(abs, (*self.a, *self.b))), sum(map(abs, self.coefficients))

    @property
    def speed(self) -> str:
        """The convergence in words.

        >>> PcfRelation((2, 1), (1, 0, 0), "4/pi", (4, -1), ("1", "v*pi"), 100, 12, "", "exponential", 0.7655, "", "").speed
        'exponential, 0.77 digits per term'
        """
        measured = f"error ~ n^-{self.rate:.3g}" if self.kind == "polynomial" else f"{self.rate:.2g} digits per term"
        return f"{self.kind}, {measured}"


@dataclass(frozen=True)
class PcfRun:
    """A search, finished or not.

    Attributes:
        relations: what was found, simplest families first, the members of a family behind each other.
        counters: pairs by what became of them.
        searched: the domain and the outcome in words, where the domain was searched to its end; otherwise how far it went.
        finished: whether it was.
        size: pairs in the domain.
        seconds: of this sitting.
    """

    constants: tuple[str, ...]
    relations: tuple[PcfRelation, ...]
    counters: dict[str, int]
    searched: str
    finished: bool
    size: int
    seconds: float

    @classmethod
    def of(cls, view: View, domain: Domain, constants: Sequence[str], seconds: float) -> "PcfRun":
        """The run that a ledger holds."""
        candidates = {c["key"]: c["data"] for c in view.candidates()}
        relations = [_relation(row, candidates[row["key"]]) for row in view.relations()]
        relations.sort(key=lambda r: (r.size, r.a, r.b, r.formula))
        rank = {family: k for k, family in enumerate(dict.fromkeys(r.family for r in relations if r.status != "rejected"))}
        relations.sort(key=lambda r: (r.status == "rejected", rank.get(r.family, 0)))
        done = view.runs()[-1]["cursor"] or 0
        searched = view.searched[-1] if view.finished else f"{domain}: {done} of {domain.blocks} blocks searched"
        return cls(tuple(constants), tuple(relations), view.counters, searched, view.finished, domain.size, seconds)

    @cached_property
    def families(self) -> list[list[PcfRelation]]:
        """The relations that are not rejected, by family."""
        groups: dict[str, list[PcfRelation]] = {}
        for r in self.relations:
            if r.status != "rejected":
                groups.setdefault(r.family, []).append(r)
        return list(groups.values())

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON values."""
        return {"constants": list(self.constants), "size": self.size, "finished": self.finished, "searched": self.searched,
                "seconds": round(self.seconds, 3), "counters": self.counters,
                "relations": [asdict(r) | {"text": r.text} for r in self.relations]}

    def text(self, top: int | None = None) -> str:
        """The simplest families, and what was searched."""
        lines = []
        for members in self.families[:top]:
            first, *others = members
            note = f" ({first.source})" if first.source else ""
            lines += [first.text, f"    {first.pcf.text}; {first.speed}",
                      f"    {first.status}{note}: {first.digits} digits proven, {first.needed} needed"]
            lines += [f"    same family: {r.text}" for r in others]
        left = len(self.families) - len(self.families[:top])
        rejected = sum(r.status == "rejected" for r in self.relations)
        lines += [f"... and {left} more families"] if left else []
        lines += [f"{rejected} rejected for want of proven digits"] if rejected else []
        return "\n".join([*lines, self.searched])

    def __str__(self) -> str:
        return self.text()


def _relation(row: dict[str, Any], data: dict[str, Any]) -> PcfRelation:
    names = ("formula", "digits", "needed", "ball", "status", "reason", "source", "certificate")
    return PcfRelation(
        a=tuple(data["a"]), b=tuple(data["b"]), coefficients=tuple(row["coefficients"]), basis=tuple(row["basis"]), kind=data["kind"],
        rate=data["rate"], family=data["family"], **{name: row[name] for name in names})


def standing(pcf: PCF, match: Match) -> tuple[str, dict[str, Any]]:
    """The status of a match and what goes with it, see `Ledger`: proved from a theorem, published before, a conjecture, or rejected."""
    relation = match.relation
    if not relation.accepted:
        return "rejected", {"reason": f"only {relation.digits} digits proven, {relation.needed} needed"}
    theorems = [anchor for anchor in anchors() if anchor.constant in match.constants]
    source, certificate = known(pcf), prove(pcf, theorems) if theorems else None
    if certificate is not None:
        return "proved", {"certificate": certificate, "source": source or ""}
    return ("known", {"source": source}) if source else ("conjecture", {})
