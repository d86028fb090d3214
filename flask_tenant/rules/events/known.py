"""What rules may know of the request in which an event comes, read only when a rule asks for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..facts import Facts, Moment


class Known(Mapping[str, Any]):
    """Facts by name.

    :param moment: in which the event comes
    """

    def __init__(self, facts: Facts, moment: Moment) -> None:
        self._facts, self._moment = facts, moment

    def __getitem__(self, name: str) -> Any:
        return self._facts.reader(name, self._facts.kinds[name])(self._moment)

    def __contains__(self, name: object) -> bool:
        return name in self._facts.kinds

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts.kinds)

    def __len__(self) -> int:
        return len(self._facts.kinds)
