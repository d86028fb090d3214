"""Examines an application from the process that has it loaded: checks, scratch copies, and the examining process."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask

from ..errors import TenancyError
from ..registry import state_of
from .checks import check_all, engines_of_process
from .findings import Examination
from .plan import Plan
from .scratch import Copies, copies

Progress = Callable[[int, int, str], None]


class NotExaminedError(TenancyError):
    """The examination could not be carried out."""

    code = "not-examined"


def examine(
    app: Flask, target: str | None, plan: Plan, scratch: str | None, progress: Progress
) -> Examination:
    """Examine an application.

    :param app: as it is loaded here; it is looked at, and its database is read
    :param target: what the ``flask`` command imports it by; the examining process imports it again
    :param scratch: URL of an empty PostgreSQL database for the copy
    :raises NotExaminedError: when that is not possible; the live data was not touched
    """
    state = state_of(app)
    with app.app_context():
        state.discover()
        checks = list(check_all(app, state))
        tenanted = {
            engine: isolation
            for engine, isolation in state.databases.isolations.items()
            if not engine.dialect.is_async
        }
        others = [engine for engine in engines_of_process() if engine not in tenanted]
        with copies(tenanted, others, scratch, state.settings.directory_url) as found:
            done = _child(target, plan, found, progress)
    done.checks = checks
    done.notes = found.notes + done.notes
    return done


def _child(target: str | None, plan: Plan, found: Copies, progress: Progress) -> Examination:
    order = {
        "app": target,
        "path": sys.path,
        "argv": sys.argv[:1],
        "folder": str(found.folder),
        "files": found.files,
        "servers": [
            [dataclasses.astuple(live), dataclasses.astuple(scratch)] for live, scratch in found.servers
        ],
        "plan": dataclasses.asdict(plan),
    }
    result: dict[str, Any] | None = None
    failed = ""
    output = found.folder / "output"
    with _running(order, found, output) as lines:
        for line in lines:
            event = json.loads(line)
            if "result" in event:
                result = event["result"]
            elif "failed" in event:
                failed = event["failed"] + ("\n" + event["traceback"] if "traceback" in event else "")
            elif "left" in event:
                found.notes.append(
                    f"These files were made and could not be removed: {', '.join(event['left'])}"
                )
            else:
                progress(event["done"], event["total"], event["what"])
    if result is None:
        said = output.read_text(errors="replace")[-2000:]
        raise NotExaminedError(
            f"The application could not be examined: {failed or 'its process ended'}",
            hint="" if failed else f"It said:\n{said}",
        )
    return Examination.of(result)


@contextmanager
def _running(order: dict[str, Any], found: Copies, output: Any) -> Iterator[Iterator[str]]:
    reading, writing = os.pipe()
    order["pipe"] = writing
    path = found.folder / "order.json"
    path.write_text(json.dumps(order, default=str))
    with output.open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "flask_tenant.doctor.child", str(path)],
            pass_fds=[writing],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
        )
    os.close(writing)
    try:
        with os.fdopen(reading) as lines:
            yield iter(lines)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
    finally:
        process.kill()
        process.wait()
