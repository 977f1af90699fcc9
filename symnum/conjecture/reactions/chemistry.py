"""Chemical formulas and reactions as people type them: read, checked, counted, printed.

A formula is a sequence of element symbols and bracketed groups with counts, `K4[Fe(CN)6]`; parts joined by a dot, `CuSO4·5H2O` (also
`.` and `*`); a charge, `SO4^2-`; a state, `(aq)`. Deuterium D and tritium T are conserved apart from hydrogen. The electron is `e-`.

How a charge is read: after `^`, in braces or parentheses, or in superscript digits, it is what it says (`SO4^2-`, `SO4^{-2}`,
`SO4{2-}`, `SO4(2-)`, `SO₄²⁻`). A final sign followed by digits is a charge (`SO4-2`), and so is a row of signs (`Fe+++`). Digits
before one final sign are a count (`MnO4-`, `I3-`), except after a metal standing alone (`Fe3+`) or a square bracket around the whole
(`[Fe(CN)6]4-`), where they are the charge. Where another reading would be natural the species carries a note that says so.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from symnum.language.grammar_check import near

Unit = tuple["str | Group", int]  # an element symbol or a group, and how often

_NAMES = """H hydrogen D deuterium T tritium He helium Li lithium Be beryllium B boron C carbon N nitrogen O oxygen F fluorine Ne neon
Na sodium Mg magnesium Al aluminium Si silicon P phosphorus S sulfur Cl chlorine Ar argon K potassium Ca calcium Sc scandium Ti titanium
V vanadium Cr chromium Mn manganese Fe iron Co cobalt Ni nickel Cu copper Zn zinc Ga gallium Ge germanium As arsenic Se selenium
Br bromine Kr krypton Rb rubidium Sr strontium Y yttrium Zr zirconium Nb niobium Mo molybdenum Tc technetium Ru ruthenium Rh rhodium
Pd palladium Ag silver Cd cadmium In indium Sn tin Sb antimony Te tellurium I iodine Xe xenon Cs caesium Ba barium La lanthanum
Ce cerium Pr praseodymium Nd neodymium Pm promethium Sm samarium Eu europium Gd gadolinium Tb terbium Dy dysprosium Ho holmium Er erbium
Tm thulium Yb ytterbium Lu lutetium Hf hafnium Ta tantalum W tungsten Re rhenium Os osmium Ir iridium Pt platinum Au gold Hg mercury
Tl thallium Pb lead Bi bismuth Po polonium At astatine Rn radon Fr francium Ra radium Ac actinium Th thorium Pa protactinium U uranium
Np neptunium Pu plutonium Am americium Cm curium Bk berkelium Cf californium Es einsteinium Fm fermium Md mendelevium No nobelium
Lr lawrencium Rf rutherfordium Db dubnium Sg seaborgium Bh bohrium Hs hassium Mt meitnerium Ds darmstadtium Rg roentgenium
Cn copernicium Nh nihonium Fl flerovium Mc moscovium Lv livermorium Ts tennessine Og oganesson""".split()

ELEMENTS = dict(zip(_NAMES[::2], _NAMES[1::2], strict=True))
"""Symbol -> name of the 118 elements of IUPAC's table, and D and T."""

NONMETALS = frozenset("H D T He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Sb Te I Xe At Rn Ts Og".split())

_SUPER, _SUB = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉"
_SUPERSCRIPT = re.compile(f"[{_SUPER}]+")
_PLAIN = str.maketrans(_SUPER + _SUB + "−–‒—⋅•∙・⁄", "0123456789+-" + "0123456789" + "----····/")
_STATE = re.compile(r"\s*[(\[](aq|s|l|g|cr|am)[)\]]$")
_MARKED = re.compile(r"(?:\^\{([^{}^]*)\}|\^\(([^()^]*)\)|\^([^{}()^]*)|\{(\d*[+-]+|[+-]\d+)\}|\((\d*[+-]+|[+-]\d+)\))$")
_SIGN_FIRST = re.compile(r"([+-])(\d+)$")
_SIGNS = re.compile(r"(\d*)([+-]+)$")
_MULTIPLIER = re.compile(r"(\d+/\d+|\d+\.\d+|\d+)\s*")
_DOT = re.compile(r"(?:\s*[·*]\s*|\s+\.\s+)(?:(\d[\d./]*)\s+)?")
_TOKEN = re.compile(r"([A-Z][a-z]*)|([(\[{])|([)\]}])")
_COUNT = re.compile(r"_\{(\d+)\}|_?(\d+)")
_OXIDATION = re.compile(r"\((?:I|II|III|IV|V|VI|VII|VIII)\)(?!\d)")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_DIGITS, _NESTING = 9, 40


@dataclass(frozen=True)
class Group:
    """Units in brackets: `(CN)` of `Fe(CN)6`."""

    bracket: str
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class Species:
    """A formula with its charge and state. `parts` are (multiplier, units): more than one for a hydrate, none for the electron."""

    parts: tuple[tuple[Fraction, tuple[Unit, ...]], ...]
    charge: int = 0
    state: str = ""
    note: str = field(default="", compare=False)  # how an ambiguous spelling was read

    @property
    def atoms(self) -> dict[str, Fraction]:
        """How many of each element, in order of appearance.

        >>> {symbol: int(count) for symbol, count in read_species("CuSO4.5H2O").atoms.items()}
        {'Cu': 1, 'S': 1, 'O': 9, 'H': 10}
        """
        total: Counter[str] = Counter()
        for multiplier, units in self.parts:
            for symbol, count in _count(units).items():
                total[symbol] += multiplier * count
        return dict(total)

    @property
    def text(self) -> str:
        """The formula in one unambiguous spelling, which reads back as the same species: `SO4^2-`, `CuSO4·5H2O`."""
        return self._print("·", "^", "")

    @property
    def latex(self) -> str:
        r"""The inside of mhchem's `\ce{…}`."""
        return self._print("*", "^{", "}")

    def _print(self, dot: str, before: str, after: str) -> str:
        parts = [(f"{m}" if m != 1 else "") + _units_text(units) for m, units in self.parts] or ["e"]
        size = "" if abs(self.charge) == 1 else str(abs(self.charge))
        charge = f"{before}{size}{'+' if self.charge > 0 else '-'}{after}" if self.charge else ""
        return dot.join(parts) + charge + (f"({self.state})" if self.state else "")


def read_species(text: str) -> Species:
    """One species. A leading number is a coefficient and is ignored.

    Raises:
        ValueError: an unknown element (with a hint), unbalanced brackets, a count of 0, a charge that cannot be read …

    >>> read_species("[Fe(CN)6]4-").text, read_species("SO₄²⁻(aq)").text, read_species("3 e-").text
    ('[Fe(CN)6]^4-', 'SO4^2-(aq)', 'e^-')
    """
    body = tidy(text)
    if not body:
        raise ValueError("a chemical formula was required, got an empty text")
    body = re.sub(r"\s*[↑↓]$", "", body)
    state = _STATE.search(body)
    body = _DOT.sub(r"·\1", body[: state.start()] if state else body)
    leading = _MULTIPLIER.match(body)
    body = body[leading.end() :] if leading else body
    if re.search(r"\s", body):
        raise _refusal(text, "a + between formulas, or no space within one, was required")
    if body.startswith("^"):
        raise _refusal(text, "isotope labels are not read, except D and T for hydrogen's")
    body, charge, note = _charge(text, body)
    label = state[1] if state else ""
    if body == "e":
        if charge != -1:
            raise _refusal(text, "the electron is written e-")
        return Species((), -1, label)
    return Species(_parts(text, body), charge, label, note)


def tidy(text: str) -> str:
    """Plain characters for typographic ones: subscripts become digits, superscripts `^{…}`, and dashes, dots and fractions ASCII or ·."""
    if not isinstance(text, str):
        msg = f"a text was required, got {type(text).__name__}"
        raise ValueError(msg)
    marked = _SUPERSCRIPT.sub(lambda m: f"^{{{m[0]}}}", text).translate(_PLAIN)
    return unicodedata.normalize("NFKC", marked).translate(_PLAIN).strip()


def _charge(text: str, body: str) -> tuple[str, int, str]:
    """The formula without its charge, the charge, and the note on how it was read."""
    if m := _MARKED.search(body):
        return body[: m.start()], _signed(text, next(g for g in m.groups() if g is not None)), ""
    if m := _SIGN_FIRST.search(body):
        return body[: m.start()], _signed(text, m[0]), ""
    m = _SIGNS.search(body)
    if not m:
        return body, 0, ""
    digits, signs = m.groups()
    core = body[: m.start()]
    if digits and len(signs) == 1:
        alone = core in ELEMENTS
        if (alone and core not in NONMETALS) or _whole_bracket(core):
            if len(digits) > 1:
                raise _refusal(text, f"{digits}{signs} may be a count and a charge; write {core}{digits[:-1]}^{digits[-1]}{signs}")
            return core, _signed(text, digits + signs), f"{text.strip()} is read as {core} with charge {digits}{signs}"
        if alone or len(digits) > 1:
            other = f"{core}{digits[:-1]}^{digits[-1]}{signs}"
            note = f"{text.strip()} is read as {core}{digits} with charge 1{signs}; for the charge {digits[-1]}{signs} write {other}"
            return core + digits, _signed(text, signs), note
    return core + digits, _signed(text, signs), ""


def _whole_bracket(core: str) -> bool:
    """Whether one pair of square brackets holds all of the formula."""
    return core.startswith("[") and core.endswith("]") and "]" not in core[1:-1]


def _signed(text: str, charge: str) -> int:
    m = re.fullmatch(r"(\d*)([+-]?)(\d*)", charge)
    if m and not (m[1] and m[3]) and (m[2] or charge == "0"):
        _short(text, m[1] + m[3])
        return int(m[1] or m[3] or 1) * (-1 if m[2] == "-" else 1)
    if re.fullmatch(r"\++|-+", charge):
        return len(charge) * (-1 if charge[0] == "-" else 1)
    raise _refusal(text, f"the charge {charge!r} cannot be read; write it as ^2- or ^3+")


def _parts(text: str, body: str) -> tuple[tuple[Fraction, tuple[Unit, ...]], ...]:
    """The dot-separated parts of a formula; open brackets wait on a stack."""
    if m := _OXIDATION.search(body):
        raise _refusal(text, f"{m[0]} counts iodine or vanadium; an oxidation number is no part of a formula, write the charge instead")
    parts: list[tuple[Fraction, tuple[Unit, ...]]] = []
    multiplier, units = Fraction(1), []
    stack: list[tuple[str, list[Unit]]] = []
    i = 0
    while i < len(body):
        if body[i] in "·.*":
            if stack:
                raise _refusal(text, f"the bracket {stack[-1][0]} is not closed before the dot")
            parts.append((multiplier, _nonempty(text, units)))
            m = _MULTIPLIER.match(body, i + 1)
            multiplier, units = _positive(text, m[1]) if m else Fraction(1), []
            i = m.end() if m else i + 1
            continue
        m = _TOKEN.match(body, i)
        if not m or (m[1] and m[1] not in ELEMENTS):
            raise _refusal(text, _unknown(body, i, m[1] if m else None))
        i = m.end()
        if m[2]:
            if len(stack) == _NESTING:
                raise _refusal(text, f"brackets nested at most {_NESTING} deep were required")
            stack.append((m[2], units))
            units = []
            continue
        unit: str | Group = m[1]
        if m[3]:
            if not stack or _CLOSING[stack[-1][0]] != m[3]:
                raise _refusal(text, f"{m[3]} closes no bracket of its kind")
            opening, outer = stack.pop()
            unit, units = Group(opening, _nonempty(text, units)), outer
        count = _COUNT.match(body, i)
        units.append((unit, int(_positive(text, count[1] or count[2])) if count else 1))
        i = count.end() if count else i
    if stack:
        raise _refusal(text, f"the bracket {stack[-1][0]} is not closed")
    return (*parts, (multiplier, _nonempty(text, units)))


def _positive(text: str, digits: str) -> Fraction:
    _short(text, digits)
    if digits.endswith("/0") or "/00" in digits or not (value := Fraction(digits)):
        raise _refusal(text, f"a count of at least 1 was required, got {digits}")
    return value


def _short(text: str, digits: str) -> None:
    if len(digits) > 2 * _DIGITS or (digits.isdigit() and len(digits) > _DIGITS):
        raise _refusal(text, f"numbers of at most {_DIGITS} digits are read")


def _nonempty(text: str, units: list[Unit]) -> tuple[Unit, ...]:
    if not units:
        raise _refusal(text, "a part or a bracket without any element")
    return tuple(units)


def _unknown(body: str, i: int, symbol: str | None) -> str:
    """What is wrong at position i, with the elements that may be meant: other capitals first, then similar symbols."""
    if symbol is None and not body[i].isalpha():
        return f"{body[i]!r} cannot stand at position {i + 1}"
    name = symbol or body[i]
    recased = [body[i : i + 2].capitalize(), body[max(i - 1, 0) : i + 1].capitalize(), body[i].upper()]
    meant = [s for s in dict.fromkeys(recased) if s in ELEMENTS and s != name]
    hint = f"; did you mean {' or '.join(meant)}?" if meant else near(name, ELEMENTS)
    return f"{name!r} is no element{hint}"


def _refusal(text: str, why: str) -> ValueError:
    shown = text.strip() if text.isprintable() else repr(text)
    return ValueError(f"{shown if len(shown) <= 60 else shown[:57] + '…'}: {why}")


def _count(units: tuple[Unit, ...]) -> Counter[str]:
    total: Counter[str] = Counter()
    for unit, times in units:
        for symbol, count in ({unit: 1} if isinstance(unit, str) else _count(unit.units)).items():
            total[symbol] += times * count
    return total


def _units_text(units: tuple[Unit, ...]) -> str:
    def one(unit: str | Group) -> str:
        return unit if isinstance(unit, str) else unit.bracket + _units_text(unit.units) + _CLOSING[unit.bracket]

    return "".join(one(unit) + (str(count) if count > 1 else "") for unit, count in units)
