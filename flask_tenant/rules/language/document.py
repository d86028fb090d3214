"""Reads YAML 1.2 into plain values, and remembers where each of them stands.

Built on the parser's *events*: no tag is resolved and no object is made but text, whole numbers, numbers, booleans,
nothing, lists and mappings. What a rule file has no need of is refused: tags, anchors and aliases (an alias of an alias
of an alias fills any memory), a second document, a name that stands twice, deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from ruamel.yaml.error import MarkedYAMLError, YAMLError

from ..model import Place
from .findings import Findings
from .parsing import Parser, UncertainError, parsers

LONGEST = 256 * 1024
"""Characters of a rule file."""
DEEPEST = 8
MOST_VALUES = 20_000
MOST_ITEMS = 1_000
"""In one list or mapping; the schema takes less, but should not have to look at more."""

Path: TypeAlias = tuple[str | int, ...]

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,2})?")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
"""The core schema of YAML 1.2: `on`, `off`, `yes`, `no` and dates are text."""


class Mark(NamedTuple):
    """Where a value stands: line and column count from 1, ``index`` from 0 into the file's text.

    :param style: the quote, ``|`` or ``>``, or ``""``
    :param text: of a scalar, as the file says it, without its quotes
    """

    line: int
    column: int
    start: int
    style: str = ""
    text: str = ""


@dataclass(slots=True)
class Document:
    """A file's contents.

    :param data: plain values
    :param values: where each value stands, by the path to it
    :param keys: where each name of a mapping stands, by the path to its value
    """

    name: str
    text: str
    data: Any = None
    values: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Return where a value (or its name) stands; for what is not there, where its parent does."""
        marks = self.keys if key else self.values
        mark = marks.get(path) or self.values.get(path)
        while mark is None and path:
            path = path[:-1]
            mark = self.values.get(path)
        return Place(self.name, mark.line, mark.column) if mark else Place(self.name, 1)

    def raw(self, path: Path) -> str:
        """Return a scalar's text, whatever YAML makes of it: a condition may be ``true`` or ``12``."""
        return self.values[path].text

    def within(self, path: Path, offset: int) -> Place:
        """Return the place of the character ``offset`` of a scalar's text.

        The text and what stands in the file have the same visible characters in the same order, however YAML folded
        the blanks between them; where quotes hide characters behind escapes, it is the scalar's start.
        """
        mark = self.values[path]
        index = _aligned(self.text, mark, offset)
        if index is None:
            return Place(self.name, mark.line, mark.column)
        line = self.text.count("\n", 0, index) + 1
        return Place(self.name, line, index - (self.text.rfind("\n", 0, index) + 1) + 1)


def read(name: str, text: str, findings: Findings) -> Document | None:
    """Read a file; ``None`` when it cannot be read, which the findings then say.

    :param name: of the file, for messages
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > LONGEST:
        findings.error(Place(name, 1), f"the file has {len(text):,} characters; at most {LONGEST:,} are read")
        return None
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        findings.error(
            Place(name, line, column), f"expected text, found the control character U+{ord(bad[0]):04X}"
        )
        return None
    for parser, final in parsers(text):
        mistakes = findings if final else Findings()
        found = _read(Document(name, text), parser, mistakes)
        if found is not None or final:
            return found
    return None


def _read(document: Document, parser: Parser, findings: Findings) -> Document | None:
    name = document.name
    try:
        return _Reader(document, findings).document(parser(document.text))
    except (_Refused, UncertainError):
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1)
        what = ", ".join(part for part in (error.context, error.problem) if part)
        findings.error(place, f"this is not YAML: {what}{_hint(what)}")
        return None
    except (
        YAMLError,
        StopIteration,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        AssertionError,
    ) as error:
        # The parser is careless about some broken input; whatever it stumbles over is not a rule file.
        findings.error(
            Place(name, 1), f"this is not YAML: {str(error).splitlines()[0] if str(error) else 'unreadable'}"
        )
        return None


def _hint(problem: str) -> str:
    if "alias" in problem:
        return '; a star stands in quotes: "*"'
    if "'\\t'" in problem:
        return "; lines are indented with blanks, never with tabs"
    if "block mapping start" in problem or "block sequence start" in problem:
        return "; this line stands further to the right or left than those that it belongs to"
    if "block end" in problem or "mapping values" in problem or "flow mapping" in problem:
        return "; a value that begins with a quote, or holds a colon or a brace, stands in quotes as a whole"
    return ""


class _Refused(Exception):  # noqa: N818 - it never leaves this module
    """The findings have it."""


class _Reader:
    """Puts a document together from the parser's events."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self._document = document
        self._findings = findings
        self._nodes = 0

    def document(self, parsed: Iterable[Any]) -> Document:
        events = iter(parsed)
        documents = 0
        for event in events:
            what = type(event).__name__
            if what == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    self._refuse(
                        event, "expected one document; put the rules of another scope into another file"
                    )
                if event.tags or event.version not in (None, (1, 2), "1.2"):
                    self._refuse(event, "expected YAML 1.2 without directives")
                self._document.data = self._value(next(events), events, ())
        return self._document

    def _value(self, event: Any, events: Iterator[Any], path: Path) -> Any:
        what = type(event).__name__
        if what == "AliasEvent" or getattr(event, "anchor", None):
            self._refuse(
                event,
                "expected a value; anchors and aliases (& and *) are not read: write it out, or put it in quotes",
            )
        if getattr(event, "tag", None) is not None:
            self._refuse(
                event,
                "expected a value; YAML takes what begins with ! for a tag: put such a condition in quotes",
            )
        self._nodes += 1
        if self._nodes > MOST_VALUES:
            self._refuse(event, f"the file has more than {MOST_VALUES:,} values")
        if len(path) > DEEPEST:
            self._refuse(event, f"expected at most {DEEPEST} levels of nesting")
        if what == "ScalarEvent":
            self._document.values[path] = _mark(event)
            return _plain(event.value) if not event.style else event.value
        self._document.values[path] = _mark(event)
        if what == "SequenceStartEvent":
            return self._list(events, path)
        return self._mapping(events, path)

    def _list(self, events: Iterator[Any], path: Path) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            self._few(event, len(found))
            found.append(self._value(event, events, (*path, len(found))))
        return found

    def _mapping(self, events: Iterator[Any], path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                break
            if type(event).__name__ != "ScalarEvent" or event.anchor or event.tag is not None:
                self._refuse(event, "expected a name, followed by a colon")
            self._few(event, len(found))
            name = event.value
            if name in found:
                self._refuse(event, f'"{name}" stands here twice')
            self._document.keys[(*path, name)] = _mark(event)
            found[name] = self._value(next(events), events, (*path, name))
        return found

    def _few(self, event: Any, items: int) -> None:
        if items >= MOST_ITEMS:
            self._refuse(event, f"expected at most {MOST_ITEMS:,} items")

    def _refuse(self, event: Any, message: str) -> None:
        mark = _mark(event)
        self._findings.error(Place(self._document.name, mark.line, mark.column), message)
        raise _Refused


def _mark(event: Any) -> Mark:
    start = event.start_mark
    text = getattr(event, "value", "")
    return Mark(start.line + 1, start.column + 1, start.index, getattr(event, "style", None) or "", text)


def _plain(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def _aligned(source: str, mark: Mark, offset: int) -> int | None:
    """Return the index in ``source`` of the character ``offset`` of the scalar that begins at ``mark``."""
    if mark.style == '"' and "\\" in source[mark.start : mark.start + 2 * len(mark.text) + 2]:
        return None
    index = mark.start + (mark.style in {'"', "'"} and len(mark.style))
    if mark.style in {"|", ">"}:
        index = source.find("\n", mark.start) + 1  # the header may have a comment
    for at, character in enumerate(mark.text):
        blank = character.isspace()
        if not blank or at == offset:
            while index < len(source) and source[index].isspace() and not (blank and at == offset):
                index += 1
        if at == offset:
            return index
        if not blank:
            if index >= len(source) or source[index] != character:
                return None
            index += 2 if mark.style == "'" and character == "'" else 1
    return index
