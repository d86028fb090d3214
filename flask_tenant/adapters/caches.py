"""Cache keys carry the tenant: cachelib's caches, and Flask-Caching, which is built on them.

Every method that takes a key is wrapped where it is defined. A cache's own calls of its methods pass as they are, so
that a key is translated once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any

from ..errors import CacheRefusedError
from .base import Around, Part, space

NAME = "caches"

_inside: ContextVar[object] = ContextVar("flask_tenant_inside_cache", default=None)

_SPACE = re.compile(r"ft:(\w+):")


class Caches(Part):
    """Keeps tenants' cached values apart."""

    name = NAME

    def look(self, around: Around) -> bool:
        """Wrap cachelib's classes and those of the application's own caches, once in a process."""
        base = getattr(sys.modules.get("cachelib.base"), "BaseCache", None)
        if base is not None:
            for cls in _family(base):
                _wrap(cls)
            if not hasattr(base, "ft_bound"):
                base.ft_bound = True
                base.__init_subclass__ = _born(base)
        backends = around.app().extensions.get("cache") if "flask_caching" in sys.modules else None
        for backend in list(backends.values()) if isinstance(backends, dict) else ():
            for cls in type(backend).__mro__[:-1]:
                _wrap(cls)
        return base is not None


def _born(base: Any) -> Any:
    """Wrap classes that are derived from now on."""

    def __init_subclass__(cls: Any, /, **kw: Any) -> None:  # noqa: N807 - it becomes the hook of that name
        super(base, cls).__init_subclass__(**kw)
        _wrap(cls)

    return classmethod(__init_subclass__)


def _family(base: type[Any]) -> Iterator[type[Any]]:
    yield base
    for derived in base.__subclasses__():
        yield from _family(derived)


def _wrap(cls: type) -> None:
    for name, wrapper in _WRAPPERS.items():
        original = cls.__dict__.get(name)
        if callable(original) and not hasattr(original, "ft_bound"):
            made: Any = wraps(original)(wrapper(original))
            made.ft_bound = True
            setattr(cls, name, made)


@contextmanager
def _within(cache: object) -> Iterator[None]:
    token = _inside.set(cache)
    try:
        yield
    finally:
        _inside.reset(token)


def _prefix(cache: object) -> str | None:
    """What goes before a key, or ``None`` when it has been translated already or nobody is there to ask."""
    if _inside.get() is cache:
        return None
    name = space(NAME)
    return f"ft:{name}:" if name is not None else None


def _translated(prefix: str, key: Any) -> Any:
    return prefix.encode() + key if isinstance(key, bytes) else f"{prefix}{key}"


def _with_key(original: Any) -> Callable[..., Any]:
    def method(self: Any, key: Any, *args: Any, **kw: Any) -> Any:
        prefix = _prefix(self)
        if prefix is None:
            return original(self, key, *args, **kw)
        with _within(self):
            return original(self, _translated(prefix, key), *args, **kw)

    return method


def _with_keys(original: Any) -> Callable[..., Any]:
    def method(self: Any, *keys: Any, **kw: Any) -> Any:
        prefix = _prefix(self)
        if prefix is None:
            return original(self, *keys, **kw)
        asked = {_translated(prefix, key): key for key in keys}
        with _within(self):
            answer = original(self, *[_translated(prefix, key) for key in keys], **kw)
        if isinstance(answer, dict):
            return {asked.get(key, key): value for key, value in answer.items()}
        return answer

    return method


def _deleting(original: Any) -> Callable[..., Any]:
    by_keys = _with_keys(original)

    def method(self: Any, *keys: Any, **kw: Any) -> Any:
        prefix = _prefix(self)
        answer = by_keys(self, *keys, **kw)
        return _bare(prefix, answer)

    return method


def _with_mapping(original: Any) -> Callable[..., Any]:
    def method(self: Any, mapping: Any, *args: Any, **kw: Any) -> Any:
        prefix = _prefix(self)
        if prefix is None:
            return original(self, mapping, *args, **kw)
        with _within(self):
            values = {_translated(prefix, key): value for key, value in dict(mapping).items()}
            return _bare(prefix, original(self, values, *args, **kw))

    return method


def _bare(prefix: str | None, keys: Any) -> Any:
    """A list of keys as the application knows them."""
    if prefix is None or not isinstance(keys, list):
        return keys
    return [key.removeprefix(prefix) if isinstance(key, str) else key for key in keys]


def _counting(original: Any) -> Callable[..., Any]:
    """How many files there are is the cache's own affair, and nobody's value."""

    def method(self: Any, *args: Any, **kw: Any) -> Any:
        with _within(self):
            return original(self, *args, **kw)

    return method


def _file_name(original: Any) -> Callable[..., Any]:
    """Files are named by a hash of their key: put the space before it, so that a tenant's files can be told."""

    def method(self: Any, key: Any) -> str:
        path: str = original(self, key)
        found = _SPACE.match(key) if isinstance(key, str) else None
        if found is None:
            return path
        folder, name = os.path.split(path)
        return os.path.join(folder, f"{found.group(1)}-{name}")

    return method


def _clearing(original: Any) -> Callable[..., Any]:
    def clear(self: Any) -> Any:
        prefix = _prefix(self)
        if prefix is None or getattr(original, "__qualname__", "") == "BaseCache.clear":
            return original(self)  # the base class and its null cache keep nothing
        with _within(self):
            for can, clears in _CLEARING:
                if all(hasattr(self, name) for name in can):
                    return clears(self, prefix)
        raise CacheRefusedError(
            f"{type(self).__name__}.clear() would empty the cache of every tenant",
            value=type(self).__name__,
            hint="This backend cannot list its keys: delete them by name, let them expire, or use "
            "SimpleCache, FileSystemCache or RedisCache",
        )

    return clear


def _clear_redis(cache: Any, prefix: str) -> bool:
    client = cache._write_client
    whole = f"{cache._get_prefix()}{prefix}"
    pattern = re.sub(r"([*?\[\]\\])", r"\\\1", whole) + "*"
    pipeline, waiting, deleted = client.pipeline(transaction=False), 0, 0
    for key in client.scan_iter(match=pattern, count=1000):
        pipeline.delete(key)
        waiting += 1
        if waiting == 1000:
            deleted, waiting = deleted + sum(pipeline.execute()), 0
    if waiting:
        deleted += sum(pipeline.execute())
    return deleted > 0


def _clear_memory(cache: Any, prefix: str) -> bool:
    with cache._lock:
        for key in [key for key in cache._cache if isinstance(key, str) and key.startswith(prefix)]:
            del cache._cache[key]
    return True


def _clear_files(cache: Any, prefix: str) -> bool:
    own = prefix.removeprefix("ft:").removesuffix(":") + "-"
    for path in list(cache._list_dir()):
        if os.path.basename(path).startswith(own):
            try:
                os.remove(path)
            except FileNotFoundError:
                continue
            cache._update_count(delta=-1)
    return True


_CLEARING: tuple[tuple[tuple[str, ...], Callable[[Any, str], bool]], ...] = (
    (("_write_client", "_get_prefix"), _clear_redis),
    (("_cache", "_lock"), _clear_memory),
    (("_list_dir", "_get_filename", "_update_count"), _clear_files),
)

_WRAPPERS: dict[str, Callable[[Any], Callable[..., Any]]] = {
    **dict.fromkeys(("get", "set", "add", "delete", "has", "inc", "dec"), _with_key),
    **dict.fromkeys(("get_many", "get_dict"), _with_keys),
    **dict.fromkeys(("delete_many", "unlink"), _deleting),
    "set_many": _with_mapping,
    "clear": _clearing,
    "_get_filename": _file_name,
    "_update_count": _counting,
}
