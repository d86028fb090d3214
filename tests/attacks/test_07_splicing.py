"""Class 7, splice details: headings, stars, RETURNING, hints, and literals that have no type."""

from __future__ import annotations

from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import World

COMMON = attacks(
    """
SELECT * FROM customer

SELECT c.*, i.* FROM customer c, invoice i

SELECT * FROM customer NATURAL JOIN (SELECT id, number FROM invoice) x

SELECT * FROM customer c JOIN invoice i USING (id)

SELECT * FROM customer c1 NATURAL JOIN customer c2 WHERE c1.id IS NOT NULL OR 1=1

SELECT count(*), max(balance) + 1, min(name) || 'x', upper(name) FROM customer GROUP BY name

SELECT (SELECT count(*) FROM visit), 1 + 1, name FROM customer

SELECT x.* FROM (SELECT * FROM customer) x

SELECT * FROM (SELECT * FROM visit UNION ALL SELECT * FROM visit) x

INSERT INTO visit SELECT * FROM visit

DELETE FROM visit RETURNING *

DELETE FROM visit RETURNING visit.page

UPDATE visit SET hits = hits + 1 RETURNING *

UPDATE visit SET hits = hits + 1 RETURNING page AS p, hits * 2

UPDATE customer SET note = 'x' WHERE balance > 1 RETURNING *, upper(name)
""",
    answered=True,
) + attacks(
    """
INSERT INTO visit VALUES ('x', 1) RETURNING *

INSERT INTO visit (hits, page) VALUES (1, 'x'), (2, 'y') RETURNING hits, page

INSERT INTO setting VALUES ('k', 'v') RETURNING *

INSERT INTO setting VALUES ('logo', 'v') ON CONFLICT (key) DO UPDATE SET value = excluded.value RETURNING *

INSERT INTO setting VALUES ('logo', 'v') ON CONFLICT DO NOTHING RETURNING *

INSERT INTO setting VALUES ('logo', 'v') ON CONFLICT (key) DO UPDATE SET value = setting.value || 'x' WHERE setting.key = 'logo'

INSERT INTO visit DEFAULT VALUES

INSERT INTO visit (page) SELECT name FROM customer

INSERT INTO visit (page, hits) SELECT 'typeless', 7 FROM customer

INSERT INTO visit SELECT name, id FROM customer RETURNING *
""",
    "none",
    answered=True,
)  # fmt: skip

SQLITE = attacks(
    """
SELECT * FROM customer NOT INDEXED

SELECT name FROM customer INDEXED BY sqlite_autoindex_customer_1

SELECT rowid AS id FROM (SELECT name AS rowid FROM customer)

DELETE FROM visit WHERE hits IN (SELECT max(hits) FROM visit)

SELECT "nope" FROM customer

SELECT customer.* FROM customer, (SELECT 1) LIMIT 100 OFFSET 0
"""
)

POSTGRESQL = attacks(
    """
SELECT * FROM customer TABLESAMPLE BERNOULLI (100)

SELECT * FROM ONLY customer AS c

SELECT * FROM customer AS c (a, b, d, e, f, g)

SELECT name FROM customer FOR UPDATE

SELECT name FROM customer FETCH FIRST 100 ROWS ONLY

INSERT INTO visit TABLE visit

UPDATE customer SET (name, note) = (SELECT max(name), 'x' FROM customer)

DELETE FROM invoice USING customer WHERE customer.id = invoice.customer_id
"""
) + attacks(
    """
SELECT id, name FROM customer GROUP BY id

SELECT c.id, c.name, count(*) FROM customer c JOIN invoice i ON i.customer_id = c.id GROUP BY c.id

SELECT * FROM customer AS c (tenant_id)

DELETE FROM visit RETURNING visit

UPDATE visit SET hits = 1 RETURNING (visit).*

INSERT INTO visit VALUES ('x', 1) RETURNING visit::text
""",
    "none",
)  # fmt: skip


@parametrize(COMMON)
def test_common(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_sqlite
@parametrize(SQLITE)
def test_sqlite(world: World, attack: Attack) -> None:
    withstands(world, attack)


@on_postgresql
@parametrize(POSTGRESQL)
def test_postgresql(world: World, attack: Attack) -> None:
    withstands(world, attack)
