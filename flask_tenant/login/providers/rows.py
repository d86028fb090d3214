"""The rows of tenants' providers. Their secrets stay encrypted until somebody asks for one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ...errors import ConfigurationError, ProviderError
from ...identity import NOTHING, Provider
from ..secrets import Secrets


class Sealed(Mapping[str, str]):
    """A provider's secrets. Each look-up decrypts: in memory, too, they are only while they are needed.

    :param place: of which provider they are
    :param names: of the secrets
    """

    __slots__ = ("_names", "_place", "_sealed", "_secrets")

    def __init__(self, secrets: Secrets, place: str, sealed: str, names: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._place = place
        self._sealed = sealed
        self._names = names

    def __getitem__(self, name: str) -> str:
        if name not in self._names:
            raise KeyError(name)
        try:
            found: dict[str, str] = json.loads(self._secrets.open(self._sealed, self._place))
        except ConfigurationError as error:
            raise ProviderError(error.message, value=error.value, hint=error.hint) from None
        return found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and (self._place, self._sealed) == (other._place, other._sealed)

    def __hash__(self) -> int:
        return hash(self._sealed)

    def __repr__(self) -> str:
        return f"<Sealed {', '.join(self._names)}>"


def place_of(tenant_id: int, name: str, kind: str, authority: str) -> str:
    """Return where a provider's secrets belong: to another tenant's provider, or another issuer's, they are no use."""
    return f"the provider {name!r} of tenant {tenant_id} ({kind}, {authority})"


class Rows:
    """Reads and writes the rows.

    :param table: of the providers
    """

    def __init__(self, table: sa.Table, secrets: Secrets) -> None:
        self.table = table
        self._secrets = secrets

    def read(self, connection: Connection, tenant_id: int) -> tuple[Provider, ...]:
        """Return a tenant's providers in their order, also those that are switched off."""
        table = self.table
        query = sa.select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.position, table.c.id)
        return tuple(self._made(row) for row in connection.execute(query))

    def write(self, connection: Connection, provider: Provider, secrets: Mapping[str, str]) -> Provider:
        """Write a provider's row: a new one, last in order, or in place of the one that has its id."""
        table = self.table
        place = place_of(provider.tenant_id, provider.name, provider.kind, provider.authority)
        sealed = self._secrets.seal(json.dumps(dict(secrets)), place) if secrets else None
        values: dict[str, Any] = {
            "label": provider.label,
            "authority": provider.authority,
            "settings": json.dumps({"settings": dict(provider.settings), "secrets": sorted(secrets)}),
            "secrets": sealed,
            "enabled": int(provider.enabled),
            "joins": int(provider.joins),
        }
        if provider.id:
            connection.execute(table.update().where(table.c.id == provider.id).values(values))
            written = provider.id
        else:
            last = sa.select(sa.func.coalesce(sa.func.max(table.c.position), 0)).where(
                table.c.tenant_id == provider.tenant_id
            )
            values |= {
                "tenant_id": provider.tenant_id,
                "name": provider.name,
                "kind": provider.kind,
                "position": (connection.scalar(last) or 0) + 1,
                "created_at": datetime.now(UTC),
            }
            key: Any = connection.execute(table.insert().values(values)).inserted_primary_key
            written = key[0]
        return self._made(connection.execute(sa.select(table).where(table.c.id == written)).one())

    def delete(self, connection: Connection, provider: Provider) -> None:
        """Delete a provider's row."""
        connection.execute(self.table.delete().where(self.table.c.id == provider.id))

    def _made(self, row: sa.Row[Any]) -> Provider:
        kept = json.loads(row.settings)
        place = place_of(row.tenant_id, row.name, row.kind, row.authority)
        secrets: Mapping[str, Any] = NOTHING
        if row.secrets is not None:
            secrets = Sealed(self._secrets, place, row.secrets, tuple(kept["secrets"]))
        return Provider(
            row.id,
            row.tenant_id,
            row.name,
            row.kind,
            row.label,
            row.authority,
            MappingProxyType(kept["settings"]),
            secrets,
            bool(row.enabled),
            bool(row.joins),
        )
