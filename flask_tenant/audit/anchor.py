"""Where the newest MAC of each chain is noted outside the table: a line in a log, and in a file if one is named.

A line says ``audit head tenant=3 number=17 mac=…``. Who cuts entries off the end of a chain, or puts an old copy of the
table in its place, would have to take the lines away as well: keep them where the database's administrators cannot
write, such as a log that is shipped elsewhere, or a file that can only be appended to.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path

from ..errors import AuditError, ConfigurationError
from .chain import Entry

log = logging.getLogger("flask_tenant.audit")

_LINE = re.compile(r"audit head tenant=(\d+) number=(\d+) mac=([0-9a-f]{64})\b")

Heads = dict[tuple[int, int], set[str]]
"""What was noted: by tenant and number, the MACs. Two for one entry: the chain was cut off, and went on otherwise."""


class Anchor:
    """Notes the ends of chains.

    :param path: the file; ``None`` for the log alone
    :raises ConfigurationError: when the file cannot be written
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._append(path, "")
            except OSError as error:
                raise ConfigurationError(
                    f"The anchor of the audit trail, {path}, cannot be written: {error.strerror}",
                    value=str(path),
                    hint="Let TENANT_AUDIT_ANCHOR name a file that the application may append to",
                ) from error

    def note(self, entry: Entry) -> None:
        """Note an entry that is in the table for good. What is done is done: nothing is raised."""
        line = f"audit head tenant={entry.tenant_id} number={entry.number} mac={entry.mac}"
        log.disabled = (
            False  # Alembic's env.py, as generated, switches off every logger that it does not name
        )
        log.info("%s", line)
        if self.path is None:
            return
        try:
            self._append(self.path, line + "\n")
        except OSError as error:
            log.error("The anchor of the audit trail, %s, cannot be written: %s", self.path, error)

    @staticmethod
    def _append(path: Path, line: str) -> None:
        # One write of one short line to a file that is open for appending: servers do not write into each other's.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(file, line.encode())
            os.fsync(file)
        finally:
            os.close(file)


def read(paths: Iterable[Path]) -> Heads:
    """Read what was noted, from anchor files or from logs that hold such lines among others.

    :raises AuditError: for a file that cannot be read
    """
    found: Heads = {}
    for path in paths:
        try:
            with path.open(encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    for tenant_id, number, mac in _LINE.findall(line):
                        found.setdefault((int(tenant_id), int(number)), set()).add(mac)
        except OSError as error:
            raise AuditError(
                f"The anchor file {path} cannot be read: {error.strerror}",
                value=str(path),
                hint="A file that is gone may have been removed together with entries: look for a copy",
            ) from error
    return found
