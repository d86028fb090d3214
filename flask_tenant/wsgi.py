"""The WSGI edge: the tenant is known before Flask's own request handling, and stays until the response is closed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import Context, copy_context
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from .model import Answer, RequestFacts, Resolution

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

RESOLUTION = "flask_tenant.resolution"
"""Key of the request's :class:`~flask_tenant.model.Resolution` in the WSGI environment."""

_PROXY_FIX = "werkzeug.proxy_fix.orig"


_PLAIN = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


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
    """

    def __init__(
        self,
        app: WSGIApplication,
        admit: Callable[[RequestFacts], Resolution | Answer],
        enter: Callable[[Resolution], AbstractContextManager[Any]],
        nobody: Callable[[WSGIEnvironment, RequestFacts], Answer | None] = lambda environ, facts: None,
    ) -> None:
        self._app = app
        self._admit = admit
        self._enter = enter
        self._nobody = nobody

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        # A context of its own: whatever becomes of this response, the worker's next request starts clean.
        context = copy_context()
        return context.run(self._serve, context, environ, start_response)

    def _serve(
        self, context: Context, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        facts = facts_of(environ)
        found = self._admit(facts)
        if type(found) is Answer:
            return send(found, environ, start_response)
        resolution = cast(Resolution, found)
        if resolution.tenant is None and (answer := self._nobody(environ, facts)) is not None:
            return send(answer, environ, start_response)
        if resolution.script_name:
            mount(environ, resolution.script_name)
        environ[RESOLUTION] = resolution
        stay = self._enter(resolution)
        stay.__enter__()
        try:
            body = self._app(environ, start_response)
        except BaseException as error:
            stay.__exit__(type(error), error, error.__traceback__)
            raise
        return _Body(body, stay, context)


class _Body:
    """A response body that is made in its tenant, and leaves it when the server closes it."""

    __slots__ = ("__weakref__", "_body", "_closed", "_context", "_stay")

    def __init__(self, body: Iterable[bytes], stay: AbstractContextManager[Any], context: Context) -> None:
        self._body = body
        self._stay = stay
        self._context = context
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        end = object()
        chunks = self._context.run(iter, self._body)
        while (chunk := self._context.run(next, chunks, end)) is not end:
            yield cast(bytes, chunk)

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
