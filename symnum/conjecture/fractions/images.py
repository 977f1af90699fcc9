"""Möbius images (a + b·x)/(c + d·x) of a constant with small integers: all of them, once each, and how they are written."""

import math
from itertools import product

from flint import arb

from symnum.numbers.formula import latex

Moebius = tuple[int, int, int, int]  # (a + b x)/(c + d x)


def images(most: int, x: arb) -> list[Moebius]:
    """The images (a + b·x)/(c + d·x), ad ≠ bc, with coprime coefficients up to `most` and a positive value, up to sign; simplest first.

    >>> len(images(1, arb.pi())), len(images(2, arb.pi())), images(1, arb.pi())[:3]
    (12, 112, [(0, 1, 1, 0), (1, 1, 1, 0), (-1, 1, 1, 0)])
    """
    found = set()
    for a, b, c, d in product(range(-most, most + 1), repeat=4):
        if a * d == b * c or math.gcd(a, b, c, d) > 1 or (c, d) < (0, 0):
            continue
        positive = (a + b * x) / (c + d * x) > 0
        image = (a, b, c, d) if positive else (-a, -b, c, d)
        found.add(_brighter(image, x))
    return sorted(found, key=lambda m: (m[3] != 0, sum(map(abs, m)), max(map(abs, m)), sum(t < 0 for t in m), m))


def _brighter(image: Moebius, x: arb) -> Moebius:
    """Of an image and itself with all signs changed, the one whose denominator is positive."""
    a, b, c, d = image
    return image if c + d * x > 0 else (-a, -b, -c, -d)


def image_text(image: Moebius, name: str) -> str:
    """The image of a named constant, as a formula.

    >>> image_text((0, 1, 1, 0), "e"), image_text((-1, 1, 2, 0), "e"), image_text((2, 0, 1, -2), "1/e")
    ('e', '(e - 1)/2', '2/(1 - 2*(1/e))')
    """
    a, b, c, d = image
    if image == (0, 1, 1, 0):
        return name
    inner = name if name.isalnum() or (name.endswith(")") and name.count("(") == 1 and name[: name.index("(")].isalnum()) else f"({name})"
    top, below = _linear(a, b, inner), _linear(c, d, inner)
    if below == "1":
        return top
    return f"{_bracketed(top)}/{_bracketed(below) if '*' not in below or ' ' in below else f'({below})'}"


def _linear(a: int, b: int, name: str) -> str:
    """a + b·name, a positive term first."""
    parts = [(a, str(abs(a)))] if a else []
    if b:
        parts.append((b, name if abs(b) == 1 else f"{abs(b)}*{name}"))
    parts.sort(key=lambda part: part[0] < 0)
    (first, text), *rest = parts
    return ("-" if first < 0 else "") + text + "".join(f" {'-' if c < 0 else '+'} {t}" for c, t in rest)


def _bracketed(text: str) -> str:
    return f"({text})" if " " in text else text


def image_latex(image: Moebius, name: str) -> str:
    r"""The image in LaTeX.

    >>> image_latex((-1, 1, 2, 0), "e")
    '\\frac{e - 1}{2}'
    """
    a, b, c, d = image
    inner = latex(name)
    plain = inner if not any(sign in inner.strip("-") for sign in "+-") else rf"\left({inner}\right)"
    top, below = (_linear(p, q, plain).replace("*", " ") for p, q in ((a, b), (c, d)))
    return top if below == "1" else rf"\frac{{{top}}}{{{below}}}"
