"""Every example of README.md and docs/ is run, and prints what the page says."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Command, File, name_of, steps
from tests.docs.terminal import Terminal, free_port, visit

PORT = re.compile(r"(?<=--port )8000\b|(?<=localhost:)8000\b")
"""The port that the pages show; a free one takes its place."""

_checker = doctest.OutputChecker()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    folder, log = tmp_path / "folder", tmp_path / "log"
    folder.mkdir()
    log.mkdir()
    found = Terminal(folder, log)
    yield found
    found.close()


def _lines(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())


@pytest.mark.parametrize("page", [p for p in PAGES if any(steps(p))], ids=name_of)
def test_a_page_does_what_it_shows(page: Path, terminal: Terminal, tmp_path: Path) -> None:
    port = str(free_port())
    ran = 0
    for step in steps(page):
        if isinstance(step, File):
            path = tmp_path / "folder" / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text)
            continue
        ran += 1
        text, shown = (PORT.sub(port, part) for part in (step.text, step.shown))
        if step.serves:
            printed = terminal.serve(text, int(port))
            assert [status for _, status in visit(printed) if status >= 400] == []
        else:
            printed = terminal.run(text)
        _compare(page, step, shown, printed, str(tmp_path / "folder"))
    assert ran, f"{name_of(page)} has files that no command uses"


def _compare(page: Path, step: Command, shown: str, printed: str, folder: str) -> None:
    printed = _lines(printed.replace(folder, "/home/you/notes"))
    wanted = _lines(shown)
    if step.serves:  # it goes on printing
        wanted = wanted.removesuffix("...\n").rstrip("\n") + "...\n"
    if not _checker.check_output(wanted, printed, doctest.ELLIPSIS):
        where = f"{name_of(page)}:{step.line}: $ {step.text}"
        pytest.fail(f"{where}\n--- the page says\n{shown}\n--- it printed\n{printed}")
