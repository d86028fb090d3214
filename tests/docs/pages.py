"""Reads the examples out of README.md and docs/: a page is one sitting at a terminal, in a folder of its own.

Three kinds of fenced blocks count:

* ``python title="shop.py"`` (or ``ini``, ``toml``, ``yaml``): a file that the reader saves;
* ``console``: commands behind ``$``, each followed by what it prints; ``...`` stands for anything;
* ``console server``: the same, and the last command serves until the next server starts, or the page ends.

Any other block must be ``text``: it shows something, and is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FILES = ("python", "ini", "po", "toml", "yaml", "html")
_TITLE = re.compile(r'title="([\w./-]+)"')


@dataclass(frozen=True)
class File:
    """A file to be saved."""

    line: int
    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A command to be run.

    :param shown: what it prints
    :param serves: whether it is a server
    """

    line: int
    text: str
    shown: str
    serves: bool = False


def name_of(page: Path) -> str:
    """The page's path from the repository's root."""
    return page.relative_to(ROOT).as_posix()


def steps(page: Path) -> Iterator[File | Command]:
    """What a reader of the page does, in order.

    :raises ValueError: for a block of a kind that is neither run nor marked as text
    """
    for token in MarkdownIt().parse(page.read_text()):
        if token.type == "code_block":
            raise ValueError(f"{name_of(page)}: an indented block, which nobody runs: {token.content!r}")
        if token.type != "fence":
            continue
        assert token.map is not None
        line = token.map[0] + 1
        kind, _, rest = token.info.partition(" ")
        title = _TITLE.search(rest)
        if kind in FILES and title:
            yield File(line, title.group(1), token.content)
        elif kind == "console":
            yield from _commands(line, token.content, serves=rest.strip() == "server")
        elif kind != "text":
            raise ValueError(f"{name_of(page)}:{line}: a block of kind {token.info!r}, which nobody runs")


def _commands(line: int, block: str, *, serves: bool) -> Iterator[Command]:
    lines = block.splitlines()
    starts = [i for i, text in enumerate(lines) if text.startswith("$ ")]
    if not starts or starts[0] != 0:
        raise ValueError(f"line {line}: a console block begins with '$ '")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        shown = "\n".join(lines[start + 1 : end])
        yield Command(line + 1 + start, lines[start][2:], shown, serves and start == starts[-1])
