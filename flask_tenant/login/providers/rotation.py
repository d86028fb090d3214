"""Encrypts anew, with the newest key, what is encrypted in a column."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from ...errors import ConfigurationError
from ..secrets import Secrets
from .home import Home

BATCH = 200
"""Rows in one transaction."""


def rotate(home: Home, secrets: Secrets, column: sa.Column[Any], *, needed: bool = True) -> int:
    """Encrypt a column anew, and return how many rows were there. It may be stopped and begun again at any time.

    :param needed: whether what cannot be decrypted is to be told; else it is forgotten
    :raises ConfigurationError: when one cannot be decrypted, and says which; batches before it are encrypted anew
    """
    table = column.table
    (key,) = table.primary_key.columns
    count, last = 0, None
    while True:
        query = sa.select(key, column).where(column.is_not(None)).order_by(key).limit(BATCH)
        if last is not None:
            query = query.where(key > last)
        with home.connect() as connection:
            rows = connection.execute(query).all()
            for number, sealed in rows:
                fresh: str | None = None
                try:
                    fresh = secrets.rotate(sealed)
                except ConfigurationError as error:
                    if needed:
                        where = f"{column.name} of {table.name} {number}"
                        raise ConfigurationError(
                            f"{error.message}: {where}", value=number, hint=error.hint
                        ) from None
                # What somebody else has set meanwhile is encrypted with the newest key already.
                same = sa.and_(key == number, column == sealed)
                connection.execute(sa.update(table).where(same).values({column.name: fresh}))
        if not rows:
            return count
        count += len(rows)
        last = rows[-1][0]
