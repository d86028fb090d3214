"""Lets requests in: what both edges (WSGI and ASGI) do before the application sees a request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from flask import Flask

from . import pages, pipeline
from .model import Answer, Refusal, RequestFacts, Resolution, Tenant, TenantState, Token
from .protocols import Strategy
from .resolve import InvalidHostError, elsewhere, host_name, new_address, resolve
from .resolve.build import Hosts, build, trusted
from .routes import CentralRoutes
from .settings import Settings
from .translations import Language
from .wsgi import in_wsgi

if TYPE_CHECKING:
    from .directory import Directory

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


class Admission:
    """Decides for one application who a request is for, and what those are told who are not served.

    :param settings: the application's
    :param app: returns the application
    :param directory: returns the directory
    :param default: returns the tenant that serves where nobody is named
    :param central: the application's central routes
    :param lenient: whether requests that name nobody are let in, as in report-only mode
    :param language: which language to answer in: of a tenant, or of an ``Accept-Language`` header
    :raises ConfigurationError: for a strategy that lacks what it needs
    """

    def __init__(
        self,
        settings: Settings,
        app: Callable[[], Flask],
        directory: Callable[[], Directory],
        default: Callable[[], Tenant | None],
        central: CentralRoutes,
        lenient: Callable[[], bool],
        language: Callable[[Tenant | None, str | None], Language],
    ) -> None:
        self._settings = settings
        self._app = app
        self._default = default
        self._central = central
        self._lenient = lenient
        self._language = language
        self._tenants = Tenants(directory)
        self._hosts = Hosts(settings)
        self._trusted = trusted(settings)
        self.strategies: tuple[Strategy, ...] = build(settings, self._tenants, app)
        self._headers = tuple(
            in_wsgi(each.reads)
            for each in self.strategies
            if each.reads and (each.claim or each.reads != "host")
        )

    def __call__(self, facts: RequestFacts) -> Resolution | Answer:
        """Walk the pipeline for a request."""
        if facts.path == self._settings.ask_path and self._may_ask(facts):
            return self._ask(facts)
        mark = self._tenants.mark()
        found = pipeline.admit(facts, self.strategies, self._default, self._moved, self._tenants.source)
        if found.refused is not None:
            return self.answer(found, facts)
        if found.tenant is None:
            return found
        if self._settings.redirect_to_primary and found.tenant.domains:
            location = elsewhere(facts, found, found.tenant.domains[0])
            if location:
                return self.answer(
                    found._replace(tenant=None, refused=Refusal.MOVED, location=location), facts
                )
        if mark is not None and self._by_host(found):
            self._tenants.keep(facts.host, found._replace(store="memory"), found.tenant, mark)
        return found

    def known(self, host: str, path: str, headers: Container[str]) -> Resolution | None:
        """Return what the pipeline has said of a host before, if nothing but the host has a say in this request.

        Most requests are answered here. What is kept ends with any change of the directory.

        :param host: the Host header as sent
        :param path: below the mount point
        :param headers: the names of the request's headers as WSGI has them, such as ``HTTP_COOKIE``
        """
        if path == self._settings.ask_path:
            return None
        for name in self._headers:
            if name in headers:
                return None
        return self._tenants.recall(host)

    def _by_host(self, found: Resolution) -> bool:
        """Whether the host alone has said so, and would again as long as no header is there that a strategy reads."""
        for strategy in self.strategies:
            if strategy.name == found.strategy:
                by_host = strategy.reads == "host" and not strategy.claim
                return by_host and all(s.reads for s in self.strategies if s.claim)
            if not strategy.reads:
                return False  # it is asked before, and may have something to say about another path
        return False

    def answer(self, resolution: Resolution, facts: RequestFacts) -> Answer:
        """What a request is told that is not served."""
        language = self._language(resolution.unserved, facts.headers.get("accept-language"))
        settings = self._settings
        find = "/" + f"{facts.script_name}{settings.login_path}/find".lstrip("/") if settings.login else ""
        return pages.answer(resolution, facts, settings.retry_after, language, find)

    def status(self, refusal: Refusal) -> int:
        """The HTTP status with which a refusal is answered."""
        return pages.status_of(refusal)

    def nobody(self, environ: dict[str, Any], facts: RequestFacts) -> Answer | None:
        """What a WSGI request is told that names no tenant: nothing, if the application serves it."""
        if self._central.serves(self._app(), environ) or self._lenient():
            return None
        return self.answer(Resolution(None, refused=Refusal.NOBODY), facts)

    def _moved(self, facts: RequestFacts, failed: Resolution) -> str:
        return new_address(facts, failed, self._tenants)

    # ---- may a certificate be fetched for this host?
    def _may_ask(self, facts: RequestFacts) -> bool:
        """Whether it is our own TLS proxy that asks, and not somebody through it."""
        if any(name in facts.headers for name in _FORWARDED):
            return False
        try:
            near = not facts.peer or ipaddress.ip_address(facts.peer).is_loopback
        except ValueError:
            return False
        return near or facts.peer in self._trusted

    def _ask(self, facts: RequestFacts) -> Answer:
        known = self.knows(*parse_qs(facts.query).get("domain", [])[:1])
        body = b"yes\n" if known else b"no\n"
        headers = (
            ("Content-Type", "text/plain"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        )
        return Answer(200 if known else 404, headers, body)

    def knows(self, host: str = "") -> bool:
        """Whether a host is ours to serve: a central one, or a tenant's of today or before."""
        try:
            host = host_name(host)
        except InvalidHostError:
            return False
        if host and (host == self._hosts.base or host in self._hosts.central):
            return True
        # Without a base domain, `acme.` in front of anybody's domain would do.
        names = ("domain", "subdomain") if self._hosts.base is not None else ("domain",)
        facts = RequestFacts(host)
        found = resolve(facts, [strategy for strategy in self.strategies if strategy.name in names])
        if found.tenant is not None:
            return found.tenant.state is not TenantState.ARCHIVED
        return bool(found.strategy and self._moved(facts, found))


_SLUG = re.compile(r"[a-z0-9-]{1,63}\Z")


class Tenants:
    """The directory's look-ups, for strategies. What cannot be a name or an id is not even looked up.

    The directory may not be there yet when they are made.
    """

    def __init__(self, directory: Callable[[], Directory]) -> None:
        self._made = directory
        self._kept: Directory | None = None
        self.recall: Callable[[str], Resolution | None] = lambda host: None
        """Returns what was kept of a host: the directory's own method, once it is there."""

    def _directory(self) -> Directory:
        self._kept = kept = self._kept or self._made()
        return kept

    def source(self) -> str:
        """Where the last answer came from."""
        return (self._kept or self._directory()).source

    def mark(self) -> tuple[int, int] | None:
        """What holds as long as the directory hears of no change; ``None`` before it was asked the first time."""
        return self._kept.mark if self._kept is not None else None

    def keep(self, host: str, resolution: Resolution, tenant: Tenant, mark: tuple[int, int]) -> None:
        """Keep what a host has come to."""
        directory = self._directory()
        directory.keep(host, resolution, tenant, mark)
        self.recall = directory.recall

    def find(self, slug: str) -> Tenant | None:
        """The tenant of that slug."""
        return (self._kept or self._directory()).find(slug) if _SLUG.match(slug) else None

    def find_id(self, tenant_id: int) -> Tenant | None:
        """The tenant of that id."""
        return self._directory().find_id(tenant_id) if 0 < tenant_id < 2**63 else None

    def find_domain(self, host: str) -> Tenant | None:
        """The tenant whose confirmed domain that is."""
        return self._directory().find_domain(host)

    def find_renamed(self, slug: str) -> Tenant | None:
        """The tenant that was called that before."""
        return self._directory().find_renamed(slug) if _SLUG.match(slug) else None

    def find_token(self, secret: str) -> Token | None:
        """The API token with that secret, if it is still good."""
        return self._directory().find_token(secret)
