"""What the doctor found, as values that travel from the examining process to the one that reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Level = Literal["ok", "note", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """Something that was looked at in the set-up.

    :param name: such as ``database role``
    :param what: what was found
    :param do: what to do about it; empty when all is well
    """

    name: str
    level: Level
    what: str
    do: str = ""


@dataclass(frozen=True, slots=True)
class Leak:
    """Something of one tenant's that another has seen or changed.

    :param route: the URL rule with its method, or what else was examined, such as ``attack list``
    :param endpoint: Flask's name of the view, if there is one
    :param how: what was done
    :param where: where it showed: ``body``, ``header X``, ``cache``, ``log``, ``file``, ``session`` and so on
    :param what: whose canary it was, by table and column
    :param do: what to do about it
    """

    route: str
    endpoint: str
    how: str
    where: str
    what: str
    do: str


@dataclass(slots=True)
class RouteResult:
    """What became of one route.

    :param calls: how often it was called
    :param statuses: how often it answered with each status
    :param skipped: why it was not called; empty when it was
    :param remarks: errors, refusals and other things worth knowing
    """

    route: str
    endpoint: str
    calls: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    skipped: str = ""
    remarks: list[str] = field(default_factory=list)

    def remark(self, text: str) -> None:
        """Add a remark once."""
        if text not in self.remarks and len(self.remarks) < 5:
            self.remarks.append(text)

    @property
    def seen(self) -> bool:
        """Whether it has shown anything but errors and redirects."""
        return any(status.startswith("2") for status in self.statuses)


@dataclass(slots=True)
class TableResult:
    """What became of one tenant table.

    :param rows: canary rows for each of both tenants
    :param canaries: how many values of these can be recognised
    :param problem: why it could not be filled
    """

    table: str
    rows: int = 0
    canaries: int = 0
    problem: str = ""


@dataclass(slots=True)
class Examination:
    """All of it."""

    checks: list[Check] = field(default_factory=list)
    tables: list[TableResult] = field(default_factory=list)
    routes: list[RouteResult] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    attacks: int = 0
    login: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def called(self) -> list[RouteResult]:
        """The routes that were called."""
        return [route for route in self.routes if not route.skipped]

    @property
    def skipped(self) -> list[RouteResult]:
        """The routes that were not."""
        return [route for route in self.routes if route.skipped]

    def as_dict(self) -> dict[str, Any]:
        """Return what :meth:`of` reads, of JSON's types."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Examination:
        """Return the examination that :meth:`as_dict` has written."""
        return cls(
            checks=[Check(**c) for c in data["checks"]],
            tables=[TableResult(**t) for t in data["tables"]],
            routes=[RouteResult(**r) for r in data["routes"]],
            leaks=[Leak(**found) for found in data["leaks"]],
            attacks=data["attacks"],
            login=data["login"],
            notes=data["notes"],
        )
