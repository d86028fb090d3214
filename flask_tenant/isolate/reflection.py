"""An Inspector that shows the schema as the application made it: the single-tenant one.

Reflection, automap, Alembic's autogenerate and its batch mode all look through it. It looks at the database
as flask_tenant itself, since an Inspector's queries are refused inside tenants otherwise.
"""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.engine.reflection import Inspector

from ..context import internal
from .config import IsolateConfig

_SET_COLUMNS = re.compile(r"^(SET (?:NULL|DEFAULT)) \((.*)\)$")

# What is reflected for each table, and hides something of ours.
_KINDS = ("columns", "pk_constraint", "foreign_keys", "indexes", "unique_constraints")
_MULTI = (*_KINDS, "check_constraints", "table_comment", "table_options")
_LISTS = (
    "get_table_names",
    "get_temp_table_names",
    "get_view_names",
    "get_temp_view_names",
    "get_materialized_view_names",
    "get_foreign_table_names",
    "get_sequence_names",
)


def _columns(found: list[dict[str, Any]], config: IsolateConfig) -> list[dict[str, Any]]:
    kept = [column for column in found if column["name"] != config.column]
    positions = sorted(column["primary_key"] for column in kept if column.get("primary_key"))
    # SQLite says which place a column has in the key, counted with the hidden one.
    return [
        {**column, "primary_key": positions.index(column["primary_key"]) + 1}
        if column.get("primary_key")
        else column
        for column in kept
    ]


def _pk_constraint(found: dict[str, Any], config: IsolateConfig) -> dict[str, Any]:
    columns = found.get("constrained_columns") or []
    return (
        {**found, "constrained_columns": [name for name in columns if name != config.column]}
        if found
        else found
    )


def _foreign_keys(found: list[dict[str, Any]], config: IsolateConfig) -> list[dict[str, Any]]:
    result = []
    for key in found:
        own, referred = key["constrained_columns"], key["referred_columns"]
        pairs = [pair for pair in zip(own, referred, strict=False) if pair != (config.column, config.column)]
        if len(pairs) == len(own):
            result.append(key)
            continue
        options = dict(key.get("options") or {})
        action = _SET_COLUMNS.match(options.get("ondelete") or "")
        if action and len(re.findall(r'"(?:[^"]|"")+"|[^",\s]+', action.group(2))) == len(pairs):
            options["ondelete"] = action.group(1)
        result.append(
            {
                **key,
                "constrained_columns": [name for name, _ in pairs],
                "referred_columns": [name for _, name in pairs],
                "options": options,
            }
        )
    return result


def _indexes(found: list[dict[str, Any]], config: IsolateConfig) -> list[dict[str, Any]]:
    result = []
    for index in found:
        names = index.get("column_names") or []
        if not names or names[0] != config.column:
            result.append(index)
            continue
        if (index.get("name") or "").startswith(config.directory_prefix):
            continue
        stripped = {**index, "column_names": names[1:]}
        if "expressions" in index:
            if None in names[1:]:
                stripped["expressions"] = index["expressions"][1:]
            else:
                del stripped["expressions"]
        result.append(stripped)
    return result


_STRIP: dict[str, Callable[[Any, IsolateConfig], Any]] = {
    "columns": _columns,
    "pk_constraint": _pk_constraint,
    "foreign_keys": _foreign_keys,
    "indexes": _indexes,
    "unique_constraints": _indexes,
}


class TenantInspector(Inspector):
    """Mixed in before a dialect's own Inspector."""

    ft_config: ClassVar[IsolateConfig]

    @contextlib.contextmanager
    def _operation_context(self) -> Iterator[sa.Connection]:
        with internal(), super()._operation_context() as connection:
            yield connection


def _one(base: type[Inspector], kind: str) -> Callable[..., Any]:
    def get(self: Any, table_name: str, schema: str | None = None, **kw: Any) -> Any:
        found = getattr(base, f"get_{kind}")(self, table_name, schema, **kw)
        config = self.ft_config
        return _STRIP[kind](found, config) if config.is_tenant(table_name, schema) else found

    return get


def _multi(base: type[Inspector], kind: str) -> Callable[..., Any]:
    def get(self: Any, *args: Any, **kw: Any) -> Any:
        found = getattr(base, f"get_multi_{kind}")(self, *args, **kw)
        config, strip = self.ft_config, _STRIP.get(kind)
        return {
            (schema, name): strip(value, config)
            if strip is not None and config.is_tenant(name, schema)
            else value
            for (schema, name), value in found.items()
            if not config.is_ours(name, schema)
        }

    return get


def _listed(base: type[Inspector], method: str) -> Callable[..., Any]:
    def get(self: Any, *args: Any, **kw: Any) -> list[str]:
        found = getattr(base, method)(self, *args, **kw)
        return [name for name in found if not self.ft_config.is_ours(name)]

    return get


@functools.cache
def inspector_for(base: type[Inspector], config: IsolateConfig) -> type[Inspector]:
    """Return an Inspector that does not see the hidden column, nor anything of ours.

    :param base: the dialect's own Inspector
    """
    if issubclass(base, TenantInspector):
        return base
    methods: dict[str, Any] = {f"get_{kind}": _one(base, kind) for kind in _KINDS}
    methods |= {f"get_multi_{kind}": _multi(base, kind) for kind in _MULTI}
    methods |= {name: _listed(base, name) for name in _LISTS if hasattr(base, name)}
    return type(f"Tenant{base.__name__}", (TenantInspector, base), {**methods, "ft_config": config})
