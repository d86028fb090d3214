"""The WSGI edge: the tenant is known before Flask's own request handling, and stays until the response is closed."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from http import HTTPStatus
from time import monotonic
from typing import TYPE_CHECKING, Any, cast

from .errors import TenantClosedError
from .model import Answer, Refusal, RequestFacts, Resolution, Tenant

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RESOLUTION = "flask_tenant.resolution"
"""Key of the request's :class:`~flask_tenant.model.Resolution` in the WSGI environment."""

LOOK_SECONDS = 0.5
"""Seconds after which something that is open for long asks again whether its tenant is served."""

_PROXY_FIX = "werkzeug.proxy_fix.orig"


_PLAIN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


def in_wsgi(header: str) -> str:
    """Return the name that a header has in a WSGI environment."""
    return f"HTTP_{header.upper().replace('-', '_')}"


class _Headers(Mapping[str, str]):
    """A WSGI environment's headers, by their usual lower-case names."""

    __slots__ = ("_environ",)

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        return cast(str, self._environ[_PLAIN.get(name) or "HTTP_" + name.upper().replace("-", "_")])

    def get(self, name: str, default: Any = None) -> Any:
        return self._environ.get(_PLAIN.get(name) or "HTTP_" + name.upper().replace("-", "_"), default)

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_"):
                yield key[5:].replace("_", "-").lower()

    def __len__(self) -> int:
        return sum(1 for _ in self)


def facts_of(environ: WSGIEnvironment) -> RequestFacts:
    """Return what an edge may know of a request."""
    original = environ.get(_PROXY_FIX)
    return RequestFacts(
        environ.get("HTTP_HOST") or environ.get("SERVER_NAME", ""),
        environ.get("PATH_INFO") or "/",
        environ.get("wsgi.url_scheme", "http"),
        _Headers(environ),
        # The peer is whom our server's socket talks to. ProxyFix writes over it what a header says.
        (environ if original is None else original).get("REMOTE_ADDR") or "",
        environ.get("SCRIPT_NAME", ""),
        environ.get("QUERY_STRING", ""),
        environ.get("RAW_URI") or environ.get("REQUEST_URI") or "",
    )


def mount(environ: WSGIEnvironment, script_name: str) -> None:
    """Move what named the tenant from the path to the mount point, so that the application's URLs keep it."""
    environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + script_name
    environ["PATH_INFO"] = environ["PATH_INFO"][len(script_name) :]


def send(answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Give an answer in place of the application."""
    start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", list(answer.headers))
    return [b""] if environ.get("REQUEST_METHOD") == "HEAD" else [answer.body]


class TenantMiddleware:
    """Enters the tenant of each request.

    :param app: the application's own WSGI callable
    :param admit: the pipeline: facts to a resolution, or to an answer in place of the application
    :param enter: makes the resolution's scope, which is left when the response is closed
    :param nobody: what to answer to a request that names no tenant; ``None`` to let the application answer
    :param known: what the pipeline has said before of a host, if nothing else has a say: host, path, environment
    :param unserved: why a tenant is not served any more, ``None`` while it is; asked while a response goes on
    """

    def __init__(
        self,
        app: WSGIApplication,
        admit: Callable[[RequestFacts], Resolution | Answer],
        enter: Callable[[Resolution], AbstractContextManager[Any]],
        nobody: Callable[[WSGIEnvironment, RequestFacts], Answer | None] = lambda environ, facts: None,
        known: Callable[[str, str, Container[str]], Resolution | None] = lambda host, path, headers: None,
        unserved: Callable[[Tenant], Refusal | None] = lambda tenant: None,
    ) -> None:
        self._app = app
        self._admit = admit
        self._enter = enter
        self._nobody = nobody
        self._known = known
        self._unserved = unserved

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A context of its own: whatever becomes of this response, the worker's next request starts clean.
        context = copy_context()
        return context.run(self._serve, context, environ, start_response)

    def _serve(
        self, context: Context, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        known = self._known(environ.get("HTTP_HOST", ""), environ.get("PATH_INFO", ""), environ)
        resolution = known if known is not None else self._resolved(environ)
        if isinstance(resolution, Answer):
            return send(resolution, environ, start_response)
        environ[RESOLUTION] = resolution
        stay = self._enter(resolution)
        stay.__enter__()
        try:
            body = self._app(environ, start_response)
        except BaseException as error:
            stay.__exit__(type(error), error, error.__traceback__)
            raise
        return _Body(body, stay, context, resolution.tenant, self._unserved)

    def _resolved(self, environ: WSGIEnvironment) -> Resolution | Answer:
        """Ask the pipeline, and put the application where the tenant is."""
        facts = facts_of(environ)
        found = self._admit(facts)
        if isinstance(found, Answer):
            return found
        if found.tenant is None and (answer := self._nobody(environ, facts)) is not None:
            return answer
        if found.script_name:
            mount(environ, found.script_name)
        return found


class _Body:
    """A response body that is made in its tenant, and leaves it when the server closes it.

    :param tenant: ``None`` for nobody's
    :param unserved: see :class:`TenantMiddleware`
    """

    __slots__ = ("__weakref__", "_body", "_closed", "_context", "_stay", "_tenant", "_unserved")

    def __init__(
        self,
        body: Iterable[bytes],
        stay: AbstractContextManager[Any],
        context: Context,
        tenant: Tenant | None,
        unserved: Callable[[Tenant], Refusal | None],
    ) -> None:
        self._body = body
        self._stay = stay
        self._context = context
        self._tenant = tenant
        self._unserved = unserved
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        run, end = self._context.run, object()
        chunk: Any
        chunks = run(iter, self._body)
        look = monotonic() + LOOK_SECONDS
        while (chunk := run(next, chunks, end)) is not end:
            if monotonic() > look:
                run(self._look)
                look = monotonic() + LOOK_SECONDS
            yield chunk

    def _look(self) -> None:
        """End a stream that has outlived its tenant: broken off, so that nobody takes what has come for the whole."""
        why = self._unserved(self._tenant) if self._tenant is not None else None
        if self._tenant is not None and why is not None:
            raise TenantClosedError(
                f"A response is broken off: the tenant {self._tenant} is not served any more ({why})",
                value=self._tenant.slug,
                hint="Nothing is wrong with the application",
            )

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._context.run(self._close)

    def __del__(self) -> None:
        # Servers close every response; test clients often do not.
        if not self._closed:
            self.close()

    def _close(self) -> None:
        try:
            close: Any = getattr(self._body, "close", None)
            if close is not None:
                close()
        finally:
            self._stay.__exit__(None, None, None)
