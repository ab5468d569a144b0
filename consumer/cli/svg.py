"""What every SVG picture of ours is made with: text that stays text, for light pages and dark ones."""

from __future__ import annotations

import math
import re
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, indent, tostring

# Each stands out, by 3 to 1 and more, from a white page and from a nearly black one; told apart by the colour-blind.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#bc6c99", "#8a7400", "#6b6bd6")
# Narrow enough to be read on a telephone, where a picture shrinks with its text.
WIDTH = 560
MARGIN = 16
INNER = WIDTH - 2 * MARGIN
FONT_SIZE = 14
# Of a label: a value stands to the right of it.
_MOST_CHARACTERS = 48
# A picture within a page takes the colour of the text around it. One in a file of its own has to bring both.
_ALONE = (
    "svg:root{color:#1f2328;background:#fff}"
    "@media(prefers-color-scheme:dark){svg:root{color:#e6e8eb;background:#131416}}"
)


def picture(title: str, description: str) -> Element:
    """Begin a picture; *title* and *description* are what a screen reader says of it."""
    name = re.sub(r"\W+", "-", title.lower()).strip("-")
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg"})
    attributes = {"class": "callahead-picture", "role": "img", "aria-labelledby": f"{name}-title {name}-description"}
    root.attrib |= attributes | {"width": str(WIDTH), "fill": "currentColor"}
    root.attrib |= {"font-family": "system-ui, sans-serif", "font-size": str(FONT_SIZE)}
    add(root, "title", title, id=f"{name}-title")
    add(root, "desc", description, id=f"{name}-description")
    add(root, "style", _ALONE)
    return root


def add(parent: Element, tag: str, text: str = "", **attributes: object) -> Element:
    """Put an element at the end of *parent*; ``stroke_width`` stands for ``stroke-width``, ``class_`` for ``class``."""
    element = SubElement(parent, tag, {_attribute(name): _written(value) for name, value in attributes.items()})
    element.text = printable(text) or None
    return element


def heading(parent: Element, y: float, text: str) -> None:
    """Write a heading whose line ends at *y*."""
    add(parent, "text", text, x=MARGIN, y=y, font_weight="bold")


def label(parent: Element, y: float, name: str, value: str) -> None:
    """Write *name*, cut where it is too long, and on the right *value*."""
    cut = name if len(name) <= _MOST_CHARACTERS else f"{name[: _MOST_CHARACTERS - 1]}\N{HORIZONTAL ELLIPSIS}"
    add(parent, "text", cut, x=MARGIN, y=y)
    add(parent, "text", value, x=WIDTH - MARGIN, y=y, text_anchor="end")


def finish(root: Element, height: float) -> Element:
    """Give the picture, which turned out to be *height* high, its size."""
    root.attrib |= {"height": number(height), "viewBox": f"0 0 {WIDTH} {number(height)}"}
    return root


def text_of(root: Element, method: Literal["xml", "html"] = "xml") -> str:
    """Write *root* and all within as the text of a file."""
    indent(root)
    return tostring(root, "unicode", method) + "\n"


def hatching(parent: Element, name: str) -> str:
    """Define stripes that let through what they are drawn over; return what fills a shape with them."""
    pattern = add(
        add(parent, "defs"), "pattern", id=name, width=6, height=6,
        patternUnits="userSpaceOnUse", patternTransform="rotate(45)",
    )  # fmt: skip
    add(pattern, "rect", width=3, height=6, fill="#fff", fill_opacity="0.55")
    return f"url(#{name})"


def number(value: float) -> str:
    """Write *value* with one decimal place at most, and the same everywhere."""
    return f"{value:.1f}".removesuffix(".0")


def printable(text: str) -> str:
    """Replace what XML has no place for, such as control characters."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def ticks(most: float, count: int = 6) -> list[float]:
    """Choose round numbers from 0 to *most* for an axis: at most *count* and the zero."""
    rough = most / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    return [at * step for at in range(math.floor(most / step + 1e-9) + 1)]


def _attribute(name: str) -> str:
    return name.removesuffix("_").replace("_", "-")


def _written(value: object) -> str:
    return number(value) if isinstance(value, float | int) else printable(str(value))
