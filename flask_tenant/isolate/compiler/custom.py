"""Elements that render SQL of the application's own: ``sqlalchemy.ext.compiler.compiles``.

What such an element writes itself goes to the raw SQL enforcer, as ``text()`` in its place would; what it lets the
compiler render meanwhile stands there as a placeholder. SQLAlchemy calls these functions past the compiler, so the
place where it does is watched.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from sqlalchemy.ext import compiler as extension

from ...errors import StatementRefusedError
from ..rawsql.lexer import PARAM, scan
from .text import TextMixin

_MARK = re.compile("\x01(\\d+)\x01")
_PLACEHOLDER = "ft_part_"
_HINT = (
    "Let compiler.process() render what it holds, and write no more than an expression of known functions, or send "
    "the statement as text()"
)


class CustomMixin(TextMixin):
    """Verifies the SQL of the application's own elements."""

    ft_parts: list[str] | None = None
    """While such an element renders itself: what it had rendered by the compiler."""

    def _ft_custom(self, element: Any, render: Callable[[], Any], kw: dict[str, Any]) -> Any:
        name = f"@compiles({type(element).__name__})"
        if self._ft_own_work(name):
            return render()
        outer, parts = self.ft_parts, cast("list[str]", [])
        plain = type(self)
        self.ft_parts = parts
        self.__class__ = _setting_apart(cast(Any, plain))
        try:
            text = str(render())
        finally:
            self.__class__, self.ft_parts = plain, outer
        if _MARK.sub("", text).strip():
            text = self._ft_written(name, text, kw)
        return _MARK.sub(lambda found: parts[int(found[1])], text)

    def _ft_written(self, name: str, text: str, kw: dict[str, Any]) -> str:
        """Return what the element wrote, verified."""
        if not self.stack:
            raise StatementRefusedError(f"{name} writes a whole statement", value=text, hint=_HINT)
        if ":" + _PLACEHOLDER in text:
            raise StatementRefusedError(f"{name} writes {_PLACEHOLDER!r}", value=text, hint=_HINT)
        text = _MARK.sub(rf":{_PLACEHOLDER}\1 ", text)
        try:
            fragment = self._ft_fragment(text, kw, kw.get("add_to_result_map"))
            tokens = scan(text, cast(Any, self.dialect.name), "text", None).tokens
        except StatementRefusedError as refusal:
            self._ft_refused(
                StatementRefusedError(
                    f"{name} writes SQL that is not known: {refusal.message}", value=text, hint=_HINT
                )
            )
            return text
        found = sum(token.kind == PARAM for token in tokens)
        if found != text.count(f":{_PLACEHOLDER}"):
            raise StatementRefusedError(f"{name} puts SQL into quotes", value=text, hint=_HINT)
        text = self._ft_filled(fragment)
        return re.sub(rf":{_PLACEHOLDER}(\d+) ", "\x01\\1\x01", text)


class _SettingApart:
    """What a compiler is while an element of the application's renders itself: what it renders for the element is
    set aside. A class of its own, so that every other statement is compiled without these methods."""

    ft_plain: type[CustomMixin]
    ft_parts: list[str]

    def _ft_apart(self, method: str, args: Any, kw: dict[str, Any]) -> str:
        apart = type(self)
        self.__class__ = self.ft_plain  # type: ignore[assignment]
        try:
            self.ft_parts.append(getattr(self, method)(*args, **kw))
        finally:
            self.__class__ = apart
        return f"\x01{len(self.ft_parts) - 1}\x01"


@cache
def _setting_apart(plain: type[CustomMixin]) -> Any:
    return type(f"SettingApart{plain.__name__}", (_SettingApart, plain), {"ft_plain": plain})


def _apart(name: str) -> Callable[..., str]:
    def method(self: _SettingApart, *args: Any, **kw: Any) -> str:
        return self._ft_apart(name, args, kw)

    return method


for _name in (
    "_ft_custom",
    "process",
    "visit_bindparam",
    "visit_column",
    "visit_function",
    "visit_textclause",
    "visit_table",
    "visit_select",
    "visit_insert",
    "visit_update",
    "visit_delete",
):
    setattr(_SettingApart, _name, _apart(_name))


def _watch() -> None:
    """Pass what ``@compiles`` functions render through the compiler that asked for it, if it is one of ours."""
    original = extension._dispatcher.__call__

    def call(self: Any, element: Any, compiler: Any, **kw: Any) -> Any:
        def render() -> Any:
            return original(self, element, compiler, **kw)

        if not isinstance(compiler, CustomMixin):
            return render()
        function = self.specs.get(compiler.dialect.name) or self.specs.get("default")
        if function is None or function.__module__ == extension.__name__:  # SQLAlchemy's own, wrapped
            return render()
        return compiler._ft_custom(element, render, kw)

    if original.__module__ == extension.__name__:
        extension._dispatcher.__call__ = call  # type: ignore[method-assign]


_watch()
