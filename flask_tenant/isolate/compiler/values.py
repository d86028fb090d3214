"""The tenant's id as a bound value: put in by us when the statement executes, out of the application's reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from ...context import _scope
from ...errors import StatementRefusedError
from ...expressions import Slot
from ..guard import Vouched
from ..hidden import STAMP, STAMP_KEY, WHERE, WHERE_KEY
from .base import Base

_OURS = ((WHERE, WHERE_KEY), (STAMP, STAMP_KEY))


class ValuesMixin(Base):
    """Takes our two parameters out of the compiled form's own list, so that nobody's parameter of that name counts
    and a thousand rows cost a thousand dictionary stores instead of a thousand look-ups."""

    ft_keys: tuple[str, ...] = ()
    ft_slots: ClassVar[dict[str, Slot]] = {}
    """The values of rules that the statement needs, by their key."""
    ft_vouched: Vouched | None = None
    """The compiled text, once it was let through."""
    ft_plain: Any = None
    """The dialect on which nothing is left to be looked at but whose connection it is."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        if kw.get("schema_translate_map"):
            # resolved at execution only, and may point anywhere
            raise StatementRefusedError(
                "schema_translate_map inside a tenant",
                value=kw["schema_translate_map"],
                hint="The tenant's placement decides the schema; drop the option",
            )
        super().__init__(*args, **kw)
        self.ft_keys = tuple(key for bind, key in _OURS if self.bind_names.pop(bind, None) is not None)

    _ft_own_params: Callable[..., Any]
    """SQLAlchemy's own :meth:`construct_params`, without the detour by ``super()``: each row comes by."""

    def __init_subclass__(cls, **kw: Any) -> None:
        super().__init_subclass__(**kw)
        cls._ft_own_params = super().construct_params

    def construct_params(
        self,
        params: Any = None,
        extracted_parameters: Any = None,
        escape_names: bool = True,
        _group_number: int | None = None,
        _check: bool = True,
        _no_postcompile: bool = False,
        _collected_params: Any = None,
    ) -> Any:
        # All by name: to collect what is handed on takes longer than the rest of this.
        if _collected_params is None:
            values = self._ft_own_params(
                params, extracted_parameters, escape_names, _group_number, _check, _no_postcompile
            )
        else:  # since SQLAlchemy 2.1
            values = self._ft_own_params(
                params,
                extracted_parameters,
                escape_names,
                _group_number,
                _check,
                _no_postcompile,
                _collected_params,
            )
        if self.ft_keys:
            # The wall admits the statement for this scope; a thousand rows come by here one by one.
            scope = _scope.get()
            tenant_id = scope.tenant_id if scope is not None else None
            if not tenant_id:
                tenant_id = self.wall.tenant_id()
            for key in self.ft_keys:
                values[key] = tenant_id
        if self.ft_slots and escape_names:  # else for an execution, which is admitted first: see ft_fill()
            self.ft_fill(values)
        return values

    def ft_fill(self, values: Any) -> None:
        """Put in the values of the rules in force."""
