"""Whether an SVG is only a drawing. One that could do anything else is refused, not repaired.

What is accepted is a list of elements and attributes: no scripts, no event handlers, no styles, no links, nothing that
is loaded from elsewhere, no entities. It is served with a policy that would let none of these run either.
"""

from __future__ import annotations

import re
from xml.parsers import expat

_SVG = "http://www.w3.org/2000/svg"

_WORDS = """
svg g defs title desc path rect circle ellipse line polyline polygon text tspan linearGradient radialGradient stop
clipPath mask use symbol
"""
_ELEMENTS = frozenset(_WORDS.split())
_MORE_WORDS = """
id class d x y x1 y1 x2 y2 cx cy r rx ry dx dy fx fy width height viewBox preserveAspectRatio points transform
fill fill-opacity fill-rule clip-path clip-rule mask stroke stroke-width stroke-linecap stroke-linejoin
stroke-miterlimit stroke-dasharray stroke-dashoffset stroke-opacity opacity color offset stop-color stop-opacity
gradientUnits gradientTransform spreadMethod clipPathUnits maskUnits maskContentUnits font-family font-size
font-weight font-style letter-spacing text-anchor dominant-baseline version role aria-label aria-hidden
focusable href vector-effect
"""
_ATTRIBUTES = frozenset(_MORE_WORDS.split())
_OWN = re.compile(r"#[\w-]+\Z", re.ASCII)
_OWN_URL = re.compile(r"\s*url\(\s*#[\w-]+\s*\)\s*\Z", re.ASCII)

DEEPEST, MOST = 32, 5000
"""How deep elements may be nested, and how many there may be."""


class UnsafeDrawingError(ValueError):
    """It is no SVG, or not only a drawing; the message says why."""


def check(content: bytes) -> None:
    """Make sure that a file is an SVG, and only a drawing.

    :raises UnsafeDrawingError: when it is not, with the line
    """
    parser = expat.ParserCreate(encoding="UTF-8", namespace_separator=" ")
    open_elements: list[str] = []
    count = 0

    def refuse(what: str) -> None:
        raise UnsafeDrawingError(f"line {parser.CurrentLineNumber}: {what}")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        namespace, _, local = name.rpartition(" ")
        if namespace != _SVG or local not in _ELEMENTS:
            refuse(f"the element {local!r} is not allowed in a logo")
        if not open_elements and local != "svg":
            refuse("it does not begin with <svg>")
        open_elements.append(local)
        if len(open_elements) > DEEPEST or count > MOST:
            refuse("too many elements, or too deeply nested")
        for key, value in attributes.items():
            if key not in _ATTRIBUTES:
                refuse(f"the attribute {key.rpartition(' ')[2]!r} is not allowed in a logo")
            if key == "href" and not _OWN.match(value):
                refuse("it links to something outside itself")
            if "url" in value.lower() and not _OWN_URL.match(value):
                refuse("it loads something from outside itself")
            if "\\" in value:
                refuse(f"the attribute {key!r} has a \\ in it")

    def end(name: str) -> None:
        open_elements.pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = lambda *_: refuse("a document type, which could define entities")
    parser.ProcessingInstructionHandler = lambda *_: refuse("a processing instruction")
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise UnsafeDrawingError(f"it is no XML: {error}") from None
