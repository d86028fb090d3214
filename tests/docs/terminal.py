"""Runs an example's commands. A process that has imported the libraries once is forked for each: importing
Flask and SQLAlchemy costs a second, and the pages hold dozens of commands."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import random
import re
import runpy
import shlex
import socket
import sys
import time
from pathlib import Path

from tests.docs.pages import ROOT

PATIENCE = 90.0
"""Seconds that a command may take on a busy machine."""

_PROGRAMS = ("python", "flask", "flask-tenant", "pytest", "make", "pybabel")
_ASSIGNMENT = re.compile(r"(\w+)=(.*)\Z")
_URL = re.compile(r"http://([\w-]+\.localhost):(\d+)(/\S*)?")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(
    ["flask.cli", "flask_sqlalchemy", "flask_migrate", "sqlalchemy.orm", "flask_tenant.cli", "pytest"]
)


def _child(folder: str, argv: list[str], environment: dict[str, str], output: str) -> None:
    """Become the command: its folder, its arguments, its standard output and error."""
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
    os.chdir(folder)
    os.environ.pop("FLASK_RUN_FROM_CLI", None)  # another test's command was one of flask's
    os.environ.update(environment)
    sys.path.insert(0, folder)
    program, sys.argv = argv[0], argv
    sys.dont_write_bytecode = True
    if program == "python" and argv[1] == "-c":
        exec(argv[2], {"__name__": "__main__"})
    elif program == "python":
        sys.argv = argv[1:]
        runpy.run_path(argv[1], run_name="__main__")
    elif program == "make":
        _make(argv[1], folder)
    elif program == "pybabel":
        from babel.messages.frontend import main as pybabel

        pybabel()
    elif program == "flask":
        from flask.cli import main

        main()
    elif program == "flask-tenant":
        from flask_tenant.cli import main as try_out

        try_out()
    else:
        import pytest

        sys.exit(pytest.main(argv[1:]))


def _make(target: str, folder: str) -> None:
    """`make demo` without its set-up, on a database and a port of our own."""
    if target != "demo":
        raise ValueError(f"examples run 'make demo', and not {target!r}")
    os.environ["DEMO_DATABASE_URL"] = f"sqlite:///{folder}/demo.sqlite"
    os.chdir(ROOT)
    sys.argv = ["demo", "--port", os.environ["PORT"]]
    runpy.run_module("tools.demo", run_name="__main__", alter_sys=True)


class Terminal:
    """A terminal in one folder.

    :param folder: where commands run
    :param log: a folder for what they print
    """

    def __init__(self, folder: Path, log: Path) -> None:
        self._folder = folder
        self._log = log
        self._count = 0
        self._server: multiprocessing.process.BaseProcess | None = None

    def run(self, text: str) -> str:
        """Run a command to its end, and return what it printed."""
        process, output = self._start(text)
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"not done after {PATIENCE} s: {text}\n{output.read_text()}")
        return output.read_text()

    def serve(self, text: str, port: int) -> str:
        """Start a server in place of the one before, wait until it answers, and return what it printed."""
        self.close()
        process, output = self._start(f"PORT={port} {text}")
        self._server = process
        deadline = time.monotonic() + PATIENCE
        while not _answers(port):
            if not process.is_alive() or time.monotonic() > deadline:
                raise AssertionError(f"no server: {text}\n{output.read_text()}")
            process.join(0.05)
        return output.read_text()

    def close(self) -> None:
        """End the server."""
        if self._server is not None:
            self._server.terminate()
            self._server.join(PATIENCE)

    def _start(self, text: str) -> tuple[multiprocessing.process.BaseProcess, Path]:
        words = shlex.split(text)
        environment = {"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
        while match := _ASSIGNMENT.match(words[0]):
            environment[match.group(1)] = match.group(2)
            del words[0]
        if words[0] not in _PROGRAMS:
            raise ValueError(f"examples run {', '.join(_PROGRAMS)}, and not {words[0]!r}")
        self._count += 1
        output = self._log / f"{self._count}.txt"
        output.touch()
        process = _context.Process(target=_child, args=(str(self._folder), words, environment, str(output)))
        process.start()
        return process, output


def free_port() -> int:
    """A port that nothing listens on, of four digits like the one that the pages show."""
    candidates = random.sample(range(7000, 10_000), 100)
    return next(port for port in candidates if not _answers(port))


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def visit(text: str) -> list[tuple[str, int]]:
    """Fetch every tenant's address that a server's output names, as a browser would.

    :returns: addresses and HTTP status codes
    """
    found = []
    for match in _URL.finditer(text):
        host, port, path = match.groups()
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE)
        connection.request("GET", path or "/", headers={"Host": f"{host}:{port}"})
        found.append((match.group(0), connection.getresponse().status))
        connection.close()
    return found
