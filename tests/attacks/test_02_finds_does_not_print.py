"""Class 2, the enforcer splices and does not print: what a printer of SQL would have changed keeps its meaning."""

from __future__ import annotations

from tests.attacks.cases import Attack, attacks, on_postgresql, on_sqlite, parametrize, withstands
from tests.attacks.world import World

COMMON = attacks(
    """
SELECT name, balance % -7, -balance / 3 FROM customer

SELECT CAST(balance AS NUMERIC) / 7, CAST(name AS VARCHAR(9)) FROM customer

SELECT name FROM customer WHERE NOT balance = 100 AND note IS NOT NULL

SELECT name || '''' || ' -- no comment' || ' /* nor this */' FROM customer

SELECT  name  ,  balance  AS  "Two Words"  FROM  customer

SELECT -- every one of them
 name /* here */ FROM customer -- and no more

SELECT CASE WHEN balance > 100 THEN 'much' ELSE name END FROM customer

SELECT name FROM customer WHERE (balance, id) > (100, 1)

SELECT name FROM customer WHERE name LIKE 'canary%' AND name NOT LIKE '%2'

SELECT 1e2, .5, 1., 007, count(*) FROM customer
""",
    answered=True,
)

SQLITE = attacks(
    """
SELECT name, mod(balance, -1.5) FROM customer

SELECT name, typeof(CAST(balance AS REAL)), x'4142' FROM customer

SELECT name == 'x', name <> 'x', name IS 'x', name IS NOT 'x' FROM customer

SELECT [name], `balance`, "note" FROM customer

SELECT name FROM customer WHERE name GLOB 'canary*'

SELECT iif(balance > 100, name, note) FROM customer

SELECT group_concat(name, ';') FROM (SELECT name FROM customer ORDER BY id)

SELECT ~balance, balance << 1, balance >> 1, balance & 3, balance | 3 FROM customer

SELECT json_extract('{"a": [1, 2]}', '$.a[1]'), '{"a": 1}' -> '$.a', '{"a": 1}' ->> 'a', count(*) FROM customer
""",
    answered=True,
)

POSTGRESQL = attacks(
    """
SELECT name, mod(balance::numeric, -1.5) FROM customer

SELECT name, balance::numeric(9,1), balance::text FROM customer

SELECT name FROM customer WHERE regexp_like(name, 'CANARY', 'i')

SELECT name FROM customer WHERE name ~* 'CANARY' AND name !~ 'x'

SELECT name, interval '1 month 2 days', date '2024-02-29' + interval '1 year' FROM customer

SELECT (ARRAY[1,2,3])[2:3], name FROM customer

SELECT E'a\\nb', U&'d\\0061t\\+000061', $$it's$$, $x$y$x$, name FROM customer

SELECT name FROM customer WHERE name = ANY (ARRAY['canary-acme-1', 'canary-bella-1'])

SELECT name, balance ^ 2, |/ balance, @ balance, balance # 3 FROM customer

SELECT name FROM customer ORDER BY name USING >

SELECT name, note IS DISTINCT FROM name FROM customer

SELECT extract(year FROM timestamp '2024-02-29 01:02:03'), position('a' IN name), overlay(name placing 'X' from 1) FROM customer

SELECT trim(both 'c' from name), substring(name from 2 for 3), name COLLATE "C" FROM customer

SELECT count(*) FILTER (WHERE balance > 100), percentile_cont(0.5) WITHIN GROUP (ORDER BY balance) FROM customer

SELECT DISTINCT ON (note) note, name FROM customer ORDER BY note, name

SELECT name, rank() OVER w FROM customer WINDOW w AS (PARTITION BY note ORDER BY balance)

SELECT '{"a": {"b": [1, 2]}}'::jsonb #> '{a,b}', '{"a": 1}'::jsonb @> '{"a": 1}', name FROM customer
""",
    answered=True,
)


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
