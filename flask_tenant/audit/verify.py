"""Finds what was changed, removed, inserted or cut off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .anchor import Heads
from .chain import BEGINNING, PRUNED, Entry, Keys

SHOWN = 20
"""How much is told of one chain: a chain that was put in place of another is wrong in every entry."""


class Tampering(NamedTuple):
    """What is wrong with a chain.

    :param number: of the entry at which it is
    :param what: ``changed`` (or inserted: the chain cannot tell), ``removed``, ``inserted``, ``cut-off``, ``old-key``
    """

    tenant_id: int
    number: int
    what: str
    detail: str


class Verdict(NamedTuple):
    """What a look at the trail has found.

    :param entries: how many were looked at
    :param chains: in how many chains
    :param anchored: how many of them were compared with what was noted outside the table
    """

    entries: int
    chains: int
    anchored: int
    found: tuple[Tampering, ...]


def verify(entries: Iterable[Entry], keys: Keys, heads: Heads, tenant_id: int | None = None) -> Verdict:
    """Look at every entry.

    :param entries: chain by chain, in order; read after ``heads``: what is written meanwhile is not missed then
    :param heads: what was noted outside the table
    :param tenant_id: whose chain, if only one is looked at
    """
    wanted = {place: macs for place, macs in heads.items() if tenant_id in (None, place[0])}
    anchored = len(wanted)
    chains: dict[int, _Chain] = {}
    found: list[Tampering] = []
    count = 0
    for entry in entries:
        count += 1
        place: tuple[object, object] = entry.tenant_id, entry.number
        if not all(isinstance(part, int) for part in place):
            told = f"an entry is in no chain: {place}"
            found.append(Tampering(-1, 0, "inserted", told))
            continue
        chain = chains.get(entry.tenant_id)
        if chain is None:
            chain = chains[entry.tenant_id] = _Chain(keys)
        found += chain.look(entry, wanted.pop((entry.tenant_id, entry.number), None))
    for chain in chains.values():
        found += chain.begun()
    # What is missing further up has left a gap, which was told.
    for chain_id, number in sorted({place[0]: place[1] for place in sorted(wanted)}.items()):
        end = chains[chain_id].number if chain_id in chains else 0
        if number > end:
            told = f"the chain ends at {end}, and entries up to {number} were noted outside the table"
            found.append(Tampering(chain_id, end + 1, "cut-off", told))
    return Verdict(count, len(chains), anchored, tuple(_few(sorted(found))))


class _Chain:
    """How far one chain was followed."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.number, self._mac = 0, BEGINNING
        self._key: int | None = None
        self._first: Entry | None = None
        """The first entry, when those before it are gone, and nothing has proven yet that they were pruned."""
        self._promised = False
        """Whether that was said, but with another MAC."""

    def look(self, entry: Entry, noted: set[str] | None) -> Iterator[Tampering]:
        """Follow the chain to an entry, and say what is wrong there."""
        here = entry.tenant_id, entry.number
        expected, gap = self.number + 1, entry.number != self.number + 1
        if entry.number < 1:
            yield Tampering(*here, "inserted", "no entry has this number")
            return
        if gap and not self.number:
            self._first = entry
            self._pruned(entry)
        elif gap:
            yield _removed(entry, expected)
        elif (key := self._keys.which(entry, self._mac)) is None:
            yield Tampering(*here, "changed", f"its MAC does not fit: {entry.action} by {entry.actor}")
        else:
            if self._key is not None and key > self._key:
                yield Tampering(*here, "old-key", "it is sealed with a key that had been replaced before")
            self._key = key
            self._pruned(entry)
        if noted is not None and noted != {entry.mac}:
            yield Tampering(
                *here,
                "changed",
                "another MAC was noted outside the table: the chain was written anew from here on",
            )
        self.number, self._mac = entry.number, entry.mac

    def _pruned(self, entry: Entry) -> None:
        """Believe an entry that is sealed that those before the first one were pruned, if that one follows them."""
        first, known = self._first, entry.known
        if first is None or entry.action != PRUNED or known.get("through") != first.number - 1:
            return
        # The very first entry may say so of itself: its own MAC covers that of the one before.
        if self._keys.which(first, str(known.get("mac"))) is not None:
            self._first = None
        self._promised = True

    def begun(self) -> Iterator[Tampering]:
        """Say whether the chain begins where nobody has said that it does."""
        if self._first is not None and self._promised:
            told = "its MAC does not fit what was said when those before it were pruned"
            yield Tampering(self._first.tenant_id, self._first.number, "changed", told)
        elif self._first is not None:
            yield _removed(self._first, 1)


def _removed(entry: Entry, expected: int) -> Tampering:
    many = f"entries {expected} to {entry.number - 1} are" if entry.number > expected + 1 else "it is"
    return Tampering(entry.tenant_id, expected, "removed", f"{many} gone")


def _few(found: Iterable[Tampering]) -> Iterator[Tampering]:
    """Leave out what says the same of many entries of one chain."""
    told: dict[int, int] = {}
    for each in found:
        told[each.tenant_id] = told.get(each.tenant_id, 0) + 1
        if told[each.tenant_id] <= SHOWN:
            yield each
    for tenant_id, many in told.items():
        if many > SHOWN:
            yield Tampering(tenant_id, 0, "changed", f"and {many - SHOWN} more")
