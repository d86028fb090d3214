"""Prometheus: how many requests each tenant makes and how long they take, with a bounded number of labels.

The busiest tenants are named (``TENANT_METRICS_TENANTS`` of them), the others are ``other``. When a tenant overtakes
the least busy of those that are named, the two change places: what was counted for the one that leaves is added to
``other``, so that sums over all tenants go on growing.
"""

from __future__ import annotations

import os
import sys
import time
from threading import Lock
from typing import Any
from weakref import WeakSet

import flask
from flask import Flask

from ..model import Tenant
from .base import Around, Part

NAME = "prometheus"
OTHER, NOBODY = "other", "none"
_STARTED = "flask_tenant.started"
_OVERTAKEN = 1.1
"""By how much a tenant has to be busier to take another's place: two of a kind would go in and out."""


class Prometheus(Part):
    """Counts requests, and seconds, in the default registry."""

    name = NAME

    def __init__(self) -> None:
        self._listening: WeakSet[Flask] = WeakSet()
        self._around: Around | None = None
        self.ranks: Ranks | None = None

    def look(self, around: Around) -> bool:
        """Listen to the application's requests."""
        if "prometheus_client" not in sys.modules:
            return False
        app = around.app()
        if self.ranks is None:
            self._around = around
            self.ranks = Ranks(around.settings.metrics_tenants, *_counters())
            flask.request_started.connect(self._begin, app)
            flask.request_finished.connect(self._finish, app)
        return True

    def _begin(self, sender: Flask, **_: Any) -> None:
        flask.request.environ[_STARTED] = time.perf_counter()

    def _finish(self, sender: Flask, response: Any, **_: Any) -> None:
        if self._around is None or self.ranks is None:
            return
        seconds = time.perf_counter() - flask.request.environ.get(_STARTED, time.perf_counter())
        self.ranks.count(self._around.tenant(), f"{response.status_code // 100}xx", seconds)


_made: list[Any] = []


def _counters() -> tuple[Any, Any]:
    """The metrics, one of each in a process: a registry takes a name once."""
    if not _made:
        from prometheus_client import Counter

        _made.append(Counter("flask_tenant_requests", "Requests of each tenant.", ["tenant", "status"]))
        _made.append(Counter("flask_tenant_request_seconds", "Seconds spent on requests.", ["tenant"]))
    return _made[0], _made[1]


class Ranks:
    """Decides which tenants are named.

    :param most: how many
    :param requests: a counter with the labels tenant and status
    :param seconds: a counter with the label tenant
    """

    def __init__(self, most: int, requests: Any, seconds: Any) -> None:
        self._most = most
        self._requests = requests
        self._seconds = seconds
        self._lock = Lock()
        self._counts: dict[int, int] = {}
        self._named: dict[int, str] = {}
        self._statuses: dict[int, dict[str, float]] = {}
        self._spent: dict[int, float] = {}
        self._floor = 0
        # Several processes share files there, from which nothing can be taken away again.
        self._fixed = "PROMETHEUS_MULTIPROC_DIR" in os.environ

    def count(self, tenant: Tenant | None, status: str, seconds: float) -> None:
        """Count a request.

        :param status: such as ``2xx``
        :param seconds: how long it took
        """
        with self._lock:
            label = self._label(tenant)
            if tenant is not None and tenant.id in self._named:
                kept = self._statuses[tenant.id]
                kept[status] = kept.get(status, 0) + 1
                self._spent[tenant.id] += seconds
            self._requests.labels(label, status).inc()
            self._seconds.labels(label).inc(seconds)

    def _label(self, tenant: Tenant | None) -> str:
        if tenant is None:
            return NOBODY
        count = self._counts[tenant.id] = self._counts.get(tenant.id, 0) + 1
        named = self._named.get(tenant.id)
        if named is not None and named != tenant.slug:
            self._leave(tenant.id)
            named = None
        if named is None and not self._may_enter(count):
            return OTHER
        if named is None:
            # A slug that has changed hands, or one that is called like our own words.
            label = tenant.slug
            taken = label in (OTHER, NOBODY) or label in self._named.values()
            self._named[tenant.id] = label = f"{label}#{tenant.id}" if taken else label
            self._statuses[tenant.id], self._spent[tenant.id] = {}, 0.0
        return self._named[tenant.id]

    def _may_enter(self, count: int) -> bool:
        if len(self._named) < self._most:
            return True
        if self._fixed or not self._named or count <= self._floor * _OVERTAKEN:
            return False
        least = min(self._named, key=lambda tenant_id: self._counts[tenant_id])
        self._floor = self._counts[least]  # named tenants only grow: no need to look again below it
        if count <= self._floor * _OVERTAKEN:
            return False
        self._leave(least)
        return True

    def _leave(self, tenant_id: int) -> None:
        label = self._named.pop(tenant_id)
        if self._fixed:
            return
        for status, count in self._statuses.pop(tenant_id).items():
            self._requests.labels(OTHER, status).inc(count)
            self._requests.remove(label, status)
        self._seconds.labels(OTHER).inc(self._spent.pop(tenant_id))
        self._seconds.remove(label)
