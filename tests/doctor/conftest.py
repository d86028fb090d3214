"""Runs the doctor as people do: `flask --app … tenant doctor`, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Visit:
    """What a run of the doctor came to."""

    code: int
    report: dict[str, Any]
    error: str

    def leaks(self, route: str) -> list[dict[str, str]]:
        """The leaks of one route."""
        return [leak for leak in self.report["leaks"] if leak["route"] == route]

    def route(self, route: str) -> dict[str, Any]:
        """What became of a route."""
        return next(found for found in self.report["routes"] if found["route"] == route)


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program, or what `python` is given as arguments when the first is an option."""
    given = environment.pop("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, [given, str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *(arguments if arguments[0].startswith("-") else ("-c", *arguments))],
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def flask_command(app: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `flask --app APP …`."""
    return run_python("-m", "flask", "--app", app, *arguments, **environment)


def see_the_doctor(app: str, *arguments: str, **environment: str) -> Visit:
    """Run the doctor on an application, and read its report."""
    done = flask_command(app, "tenant", "doctor", "--json", *arguments, **environment)
    report = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return Visit(done.returncode, report, done.stderr)
