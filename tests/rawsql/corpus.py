# ruff: noqa: E501 - statements and what they give stand on one line
"""Statements that have to be answered, on both databases or on one. Separated by blank lines."""

from __future__ import annotations


def _statements(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


COMMON = _statements(r"""
INSERT INTO setting (key, value) SELECT setting, 'new' FROM (SELECT 'k' AS setting) AS q

SELECT * FROM customer

select * from customer where id = 3

SELECT c.* FROM customer c

SELECT c.* FROM customer AS c ORDER BY c.id

SELECT customer.id, customer.name FROM customer ORDER BY customer.name DESC

SELECT id, name AS "Full Name" FROM customer WHERE city = 'Bern' OR city IS NULL

SELECT id FROM customer WHERE active = 1 AND (balance > 20 OR name LIKE '%1')

SELECT count(*) FROM invoice

SELECT count(*), sum(total), min(created), max(number) FROM invoice

SELECT COUNT(DISTINCT city) FROM customer

SELECT city, count(*) AS n FROM customer GROUP BY city ORDER BY n DESC, city

SELECT city, count(*) FROM customer GROUP BY city HAVING count(*) > 1

SELECT DISTINCT city FROM customer ORDER BY 1

SELECT i.number, c.name FROM invoice i JOIN customer c ON c.id = i.customer_id ORDER BY i.number

SELECT invoice.number, customer.name FROM invoice, customer WHERE customer.id = invoice.customer_id

SELECT i.number, c.name FROM invoice i INNER JOIN customer c ON c.id = i.customer_id AND c.active = 1

SELECT c.id, i.id FROM customer c LEFT JOIN invoice i ON i.customer_id = c.id AND i.paid = 1 ORDER BY 1, 2

SELECT c.id FROM customer c LEFT OUTER JOIN invoice i ON i.customer_id = c.id WHERE i.id IS NULL

SELECT c.id, i.id FROM invoice i RIGHT JOIN customer c ON i.customer_id = c.id

SELECT c.id, i.id FROM customer c FULL JOIN invoice i ON i.customer_id = c.id AND i.total > 1200

SELECT a.id, b.id FROM customer a CROSS JOIN category b

SELECT a.name, b.name FROM customer a JOIN customer b ON a.boss_id = b.id

SELECT * FROM invoice JOIN line ON line.invoice_id = invoice.id JOIN product ON product.id = line.product_id WHERE invoice.id < 4

SELECT i.*, l.qty FROM invoice i JOIN line l ON l.invoice_id = i.id

SELECT name FROM customer WHERE id IN (SELECT customer_id FROM invoice WHERE total > 1100)

SELECT name FROM customer WHERE id NOT IN (SELECT customer_id FROM invoice WHERE paid = 1)

SELECT name FROM customer c WHERE EXISTS (SELECT 1 FROM invoice i WHERE i.customer_id = c.id AND i.paid = 0)

SELECT name FROM customer c WHERE NOT EXISTS (SELECT * FROM invoice WHERE customer_id = c.id)

SELECT name, (SELECT count(*) FROM invoice i WHERE i.customer_id = c.id) AS n FROM customer c

SELECT name, (SELECT max(total) FROM invoice WHERE customer_id = customer.id) FROM customer

SELECT * FROM (SELECT id, name FROM customer) AS sub WHERE sub.id < 5

SELECT sub.n FROM (SELECT customer_id, count(*) AS n FROM invoice GROUP BY customer_id) sub ORDER BY sub.n

WITH big AS (SELECT * FROM invoice WHERE total > 1050) SELECT count(*) FROM big

WITH a AS (SELECT id FROM customer), b AS (SELECT customer_id FROM invoice) SELECT a.id FROM a JOIN b ON a.id = b.customer_id

WITH customer AS (SELECT 1 AS id, 'nobody' AS name) SELECT * FROM customer

WITH x(k, v) AS (SELECT key, value FROM setting) SELECT k, v FROM x ORDER BY k

WITH RECURSIVE tree(id, depth) AS (SELECT id, 0 FROM category WHERE parent_id IS NULL UNION ALL SELECT c.id, t.depth + 1 FROM category c JOIN tree t ON c.parent_id = t.id) SELECT id, depth FROM tree ORDER BY id

WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT n.i, c.name FROM n JOIN customer c ON c.id = n.i

WITH outerq AS (WITH innerq AS (SELECT id FROM customer WHERE id < 4) SELECT id FROM innerq) SELECT count(*) FROM outerq

SELECT id FROM customer UNION SELECT customer_id FROM invoice

SELECT id FROM customer UNION ALL SELECT id FROM category ORDER BY 1 LIMIT 7

SELECT id FROM customer INTERSECT SELECT customer_id FROM invoice

SELECT id FROM category EXCEPT SELECT customer_id FROM invoice ORDER BY id

SELECT name FROM customer WHERE id = (SELECT max(id) FROM customer)

SELECT number FROM invoice ORDER BY total DESC LIMIT 3 OFFSET 2

SELECT CASE WHEN total > 1100 THEN 'big' WHEN total IS NULL THEN 'none' ELSE 'small' END AS size, count(*) FROM invoice GROUP BY 1

SELECT coalesce(city, 'nowhere'), upper(name), length(email) FROM customer

SELECT id, row_number() OVER (ORDER BY total DESC) FROM invoice

SELECT id, sum(total) OVER (PARTITION BY customer_id ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM invoice

SELECT id, rank() OVER w, lag(total, 1) OVER w FROM invoice WINDOW w AS (PARTITION BY customer_id ORDER BY total)

SELECT count(*) FILTER (WHERE paid = 1) AS paid, count(*) FILTER (WHERE paid = 0) AS unpaid FROM invoice

SELECT sum(total) FILTER (WHERE paid = 1) OVER (ORDER BY id) FROM invoice

SELECT customer_id, count(*) FROM invoice WHERE created BETWEEN '2024-03-01' AND '2024-08-31' GROUP BY customer_id

SELECT c.name, sum(l.qty * l.price) AS revenue FROM customer c JOIN invoice i ON i.customer_id = c.id JOIN line l ON l.invoice_id = i.id GROUP BY c.name ORDER BY revenue DESC

SELECT c.name AS who, p.name AS what, co.name AS country FROM customer c JOIN country co ON co.code = c.country_code JOIN invoice i ON i.customer_id = c.id JOIN line l ON l.invoice_id = i.id JOIN product p ON p.id = l.product_id WHERE l.qty > 2

SELECT * FROM country

SELECT * FROM country c LEFT JOIN customer k ON k.country_code = c.code ORDER BY c.code, k.id

SELECT value FROM setting WHERE key = 'currency'

SELECT s.key || '=' || s.value FROM setting s ORDER BY s.key

SELECT 1

SELECT 1 AS one, 'x' AS two

SELECT NULL

VALUES (1, 'a'), (2, 'b')

SELECT "id", "Mixed Case", "select" FROM "Odd Name" ORDER BY "id"

SELECT * FROM "Odd Name"

SELECT "Odd Name"."Mixed Case" FROM "Odd Name" WHERE "Odd Name".id > 1

SELECT o."Mixed Case" FROM "Odd Name" o

SELECT/* a comment */id/**/FROM/**/customer-- trailing

SELECT id -- one
FROM customer -- two
WHERE id > 2 -- three

SELECT '--not a comment' AS x, '/* nor this */' AS y, 'it''s' AS z FROM customer WHERE id = 1

SELECT 'FROM invoice WHERE 1=1' FROM customer

SELECT id FROM customer WHERE name = 'x; DROP TABLE customer' OR id = 2

SELECT id FROM customer;

SELECT t.id FROM (customer t JOIN invoice i ON i.customer_id = t.id)

SELECT c.id FROM customer c JOIN (invoice i JOIN line l ON l.invoice_id = i.id) ON i.customer_id = c.id

SELECT count(*) FROM customer NATURAL JOIN setting

SELECT id, total FROM invoice JOIN line USING (id)

SELECT * FROM invoice JOIN line USING (id) ORDER BY id

SELECT * FROM customer NATURAL JOIN category

SELECT * FROM customer c LEFT JOIN invoice i USING (id)

SELECT max(x.total) FROM (SELECT total FROM invoice UNION ALL SELECT price FROM line) AS x

SELECT id FROM customer WHERE (id, name) IN (SELECT id, name FROM customer)

SELECT id FROM customer WHERE (id, active) = (2, 1)

SELECT a.id FROM customer a WHERE a.balance > (SELECT avg(b.balance) FROM customer b WHERE b.country_code = a.country_code)

SELECT id, CAST(total AS integer) FROM invoice

SELECT substr(name, 1, 3), replace(name, 'customer', 'client'), trim(name), lower(email) FROM customer

SELECT id FROM invoice WHERE number LIKE '2024-00%' ESCAPE '!'

SELECT abs(-balance), round(balance, 1) FROM customer

SELECT total - 1000 AS t FROM invoice WHERE total-1000 > 50 ORDER BY t

SELECT -total, +total, total*-1 FROM invoice

SELECT id FROM customer WHERE NOT active = 1

SELECT id FROM customer WHERE active = 1 OR 1 = 1

SELECT id FROM customer WHERE 1 = 1 OR 1 = 1 AND 1 = 0

SELECT id FROM customer WHERE name IS NOT NULL AND city IS NOT NULL

SELECT id FROM customer WHERE city IS DISTINCT FROM 'Bern'

SELECT id FROM customer WHERE city IS NOT DISTINCT FROM 'Bern'

SELECT id FROM customer ORDER BY CASE WHEN city IS NULL THEN 1 ELSE 0 END, city, id

SELECT id FROM customer ORDER BY city NULLS FIRST, id DESC NULLS LAST

SELECT (SELECT count(*) FROM customer) AS c, (SELECT count(*) FROM invoice) AS i

SELECT (SELECT name FROM customer WHERE id = i.customer_id) FROM invoice i ORDER BY i.id

SELECT x.id FROM customer x, customer y WHERE x.id = y.id + 1

SELECT count(*) FROM customer a, customer b, customer c

SELECT nullif(city, 'Bern'), coalesce(city, email, name) FROM customer

SELECT customer_id, total, avg(total) OVER (PARTITION BY customer_id) - total AS diff FROM invoice ORDER BY id

SELECT first_value(number) OVER (PARTITION BY customer_id ORDER BY id), ntile(3) OVER (ORDER BY id) FROM invoice

SELECT city, (SELECT count(*) FROM customer AS c2 WHERE c2.city = customer.city) FROM customer GROUP BY city

WITH m AS (SELECT max(id) AS id FROM customer) SELECT c.name FROM customer c, m WHERE c.id = m.id

WITH a AS (SELECT id FROM customer) SELECT id FROM a UNION SELECT id FROM a WHERE id > 100

WITH totals AS (SELECT customer_id, sum(total) AS t FROM invoice GROUP BY customer_id), ranked AS (SELECT customer_id, t, rank() OVER (ORDER BY t DESC) AS r FROM totals) SELECT c.name, ranked.t, ranked.r FROM ranked JOIN customer c ON c.id = ranked.customer_id WHERE ranked.r <= 3 ORDER BY ranked.r

SELECT * FROM (VALUES (1, 'one'), (2, 'two')) AS v

SELECT c.name FROM customer c JOIN (SELECT DISTINCT customer_id FROM invoice WHERE paid = 0) u ON u.customer_id = c.id

SELECT id FROM customer WHERE id IN (1, 2, 3)

SELECT id FROM customer WHERE id BETWEEN 2 AND (SELECT 4)

SELECT count(*) AS "count", max(id) AS "order", min(id) AS "from" FROM customer

SELECT name FROM customer GROUP BY name, id HAVING max(balance) > 10 ORDER BY max(balance)

INSERT INTO customer (name, email) VALUES ('new', 'new@x.test')

INSERT INTO customer (id, name, email) VALUES (500, 'new', 'new@x.test')

INSERT INTO customer (name, email) VALUES ('new', 'n1@x.test'), ('newer', 'n2@x.test'), ('newest', 'n3@x.test')

INSERT INTO customer (name, email) VALUES ('new', 'new@x.test') RETURNING id

INSERT INTO customer (name, email) VALUES ('new', 'new@x.test') RETURNING *

INSERT INTO customer (name, email) VALUES ('a', 'n1@x.test'), ('b', 'n2@x.test') RETURNING id, name AS n

INSERT INTO customer VALUES (600, 'n', 'n@x.test', 'Bern', 1, 5, 'CH', NULL)

INSERT INTO setting VALUES ('theme', 'dark')

INSERT INTO setting (key, value) VALUES ('theme', 'dark') ON CONFLICT DO NOTHING

INSERT INTO setting (key, value) VALUES ('title', 'other') ON CONFLICT (key) DO NOTHING

INSERT INTO setting (key, value) VALUES ('title', 'other') ON CONFLICT (key) DO UPDATE SET value = excluded.value

INSERT INTO setting (key, value) VALUES ('title', 'other'), ('z', 'y') ON CONFLICT (key) DO UPDATE SET value = excluded.value || setting.value RETURNING key, value

INSERT INTO setting AS s (key, value) VALUES ('title', 'other') ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE s.value <> 'x' OR 1 = 1 RETURNING *

INSERT INTO customer (name, email) VALUES ('new', 'a1@x.test') ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id, name

INSERT INTO customer (id, name) VALUES (1, 'again') ON CONFLICT (id) DO UPDATE SET name = 'again', balance = customer.balance + 1

INSERT INTO setting (key, value) VALUES ('title', 'other') ON CONFLICT (key) WHERE value IS NOT NULL DO UPDATE SET value = excluded.value

INSERT INTO setting (key, value) VALUES ('title', 'other') ON CONFLICT (key) WHERE value IS NOT NULL DO NOTHING

INSERT INTO setting (key, value) SELECT key || '2', value FROM setting

INSERT INTO setting SELECT 'copy of ' || key, value FROM setting WHERE key LIKE 't%'

INSERT INTO setting (key, value) SELECT name, city FROM customer WHERE city IS NOT NULL UNION SELECT name, sku FROM product

INSERT INTO setting (key, value) WITH x AS (SELECT name, email FROM customer) SELECT name, email FROM x

WITH x AS (SELECT name, email FROM customer) INSERT INTO setting (key, value) SELECT name, email FROM x

INSERT INTO setting (key, value) SELECT DISTINCT city, 'city' FROM customer WHERE city IS NOT NULL

INSERT INTO setting (key, value) SELECT city, count(*) FROM customer WHERE city IS NOT NULL GROUP BY city ORDER BY 2 DESC

INSERT INTO setting (key, value) SELECT city, max(name) FROM customer WHERE city IS NOT NULL GROUP BY city ON CONFLICT (key) DO NOTHING

INSERT INTO setting (value, key) VALUES ((SELECT max(name) FROM customer), 'best')

INSERT INTO customer (name, email) SELECT 'copy of ' || name, 'copy' || email FROM customer ORDER BY id

INSERT INTO customer (name, email) SELECT 'copy of ' || name, 'copy' || email FROM customer WHERE id > 2 ORDER BY id DESC LIMIT 3 RETURNING id, name

INSERT INTO category (name, parent_id) SELECT name, id FROM category ORDER BY id

INSERT INTO category (id, name) SELECT id + 100, name FROM category

INSERT INTO category (name) SELECT DISTINCT city FROM customer WHERE city IS NOT NULL ORDER BY city

INSERT INTO category DEFAULT VALUES

INSERT INTO category DEFAULT VALUES RETURNING id

INSERT INTO "Odd Name" ("Mixed Case", "select") VALUES ('x', 1) RETURNING "Mixed Case", id

UPDATE customer SET balance = 0

UPDATE customer SET balance = balance + 1 WHERE id = 2

UPDATE customer SET name = 'x', city = NULL WHERE city = 'Bern' OR 1 = 1

UPDATE customer AS c SET balance = 5 WHERE c.active = 1

UPDATE invoice SET paid = 1 WHERE customer_id IN (SELECT id FROM customer WHERE active = 1)

UPDATE invoice SET total = (SELECT sum(qty * price) FROM line WHERE line.invoice_id = invoice.id) WHERE id IN (SELECT invoice_id FROM line)

UPDATE invoice SET note = customer.name FROM customer WHERE customer.id = invoice.customer_id

UPDATE invoice SET note = c.name FROM customer AS c WHERE c.id = invoice.customer_id AND (c.active = 1 OR 1 = 1)

UPDATE invoice SET note = x.city FROM (SELECT id, city FROM customer) AS x WHERE x.id = invoice.customer_id

UPDATE invoice SET note = s.value FROM customer c JOIN setting s ON s.key = 'title' WHERE c.id = invoice.customer_id

WITH best AS (SELECT id FROM customer WHERE balance > 30) UPDATE customer SET active = 9 WHERE id IN (SELECT id FROM best)

UPDATE customer SET balance = 1 WHERE id = 3 RETURNING *

UPDATE customer SET balance = balance * 2 WHERE id < 4 RETURNING id, balance

UPDATE customer SET (name, city) = ('a', 'b') WHERE id = 1

UPDATE customer SET (name, city) = (SELECT value, key FROM setting WHERE key = 'title') WHERE id = 1

UPDATE setting SET key = key || 'x' WHERE key = 'title'

UPDATE "Odd Name" SET "Mixed Case" = 'y', "select" = "select" + 1 WHERE "select" > 1

UPDATE customer SET boss_id = NULL

DELETE FROM line

DELETE FROM line WHERE qty > 2

DELETE FROM line WHERE qty > 2 OR 1 = 1

DELETE FROM line WHERE invoice_id IN (SELECT id FROM invoice WHERE paid = 1)

DELETE FROM line AS l WHERE l.id = 3

DELETE FROM line WHERE NOT EXISTS (SELECT 1 FROM invoice i WHERE i.id = line.invoice_id AND i.paid = 1)

DELETE FROM line WHERE id = 1 RETURNING *

DELETE FROM line WHERE qty = 1 RETURNING id, price

WITH x AS (SELECT id FROM invoice WHERE paid = 1) DELETE FROM line WHERE invoice_id IN (SELECT id FROM x)

DELETE FROM setting WHERE key = 'title'
""")

SQLITE = _statements(r"""
WITH a AS (SELECT id FROM customer), customer AS (SELECT 71 AS id) SELECT * FROM a

SELECT * FROM main.customer

SELECT main.customer.name FROM main.customer

SELECT * FROM [customer] WHERE [id] = 1

SELECT `id` FROM `customer`

SELECT CUSTOMER.ID FROM Customer

SELECT id FROM customer WHERE city == 'Bern'

SELECT id FROM customer WHERE name = "a-customer 1"

SELECT key FROM setting WHERE (key, value) IN setting

SELECT key FROM setting WHERE (key, value) NOT IN main.setting OR key = 'title'

SELECT c.id FROM customer c WHERE c.id IN (SELECT customer_id FROM main.invoice)

WITH w AS (SELECT id FROM customer WHERE id < 3) SELECT id FROM customer WHERE id IN w

SELECT id, name FROM customer INDEXED BY sqlite_autoindex_customer_1 WHERE email = 'a1@x.test'

SELECT id FROM customer NOT INDEXED WHERE id = 1

SELECT c.id FROM customer AS c NOT INDEXED WHERE c.id < 3

SELECT group_concat(name, ', ') FROM customer

SELECT total(balance), typeof(balance), ifnull(city, '-') FROM customer

SELECT id FROM customer WHERE name GLOB '*[12]'

SELECT id FROM customer WHERE name REGEXP '[12]$'

SELECT id FROM customer WHERE name LIKE 'A-%'

SELECT id FROM customer WHERE like('a%', name)

SELECT id FROM customer WHERE name COLLATE NOCASE = 'A-CUSTOMER 1' ORDER BY name COLLATE NOCASE

SELECT strftime('%Y-%m', created) AS month, sum(total) FROM invoice GROUP BY month ORDER BY month

SELECT date(created, '+1 month'), julianday(created) FROM invoice

SELECT id FROM invoice WHERE created > date('2024-03-01')

SELECT p.id, j.value FROM product p, json_each(p.data, '$.sizes') j ORDER BY p.id, j.value

SELECT p.id, json_extract(p.data, '$.colour'), p.data -> 'mark', p.data ->> '$.mark' FROM product p

SELECT DISTINCT json_each.key FROM product, json_each(product.data) ORDER BY 1

SELECT x'0102', 0x1F, 1e3, .5, 5.

SELECT id FROM customer ORDER BY id LIMIT 2, 3

SELECT CAST(id AS VARCHAR(20)), CAST(id AS UNSIGNED BIG INT), CAST(total AS DECIMAL(10,2)) FROM invoice

SELECT iif(active, 'yes', 'no'), printf('%05d', id), format('%s', name), hex(name), quote(name) FROM customer

SELECT max(id, 3), min(id, boss_id) FROM customer

SELECT id, name, balance FROM customer GROUP BY city

SELECT id FROM customer WHERE id IS 3 OR city IS NOT NULL OR city NOTNULL

SELECT id FROM customer WHERE city ISNULL

SELECT a.id FROM customer a, customer b, customer c, customer d, customer e, customer f, customer g, customer h, customer i, customer j WHERE a.id = b.id AND b.id = c.id AND c.id = d.id AND d.id = e.id AND e.id = f.id AND f.id = g.id AND g.id = h.id AND h.id = i.id AND i.id = j.id

SELECT a.id, k.name FROM customer a JOIN customer b ON a.id = b.id JOIN customer c ON b.id = c.id JOIN customer d ON c.id = d.id JOIN customer e ON d.id = e.id JOIN customer f ON e.id = f.id JOIN customer g ON f.id = g.id JOIN customer h ON g.id = h.id LEFT JOIN category k ON k.id = h.id WHERE a.id = 1 OR a.id = 2

SELECT a.*, k.name FROM customer a JOIN customer b ON a.id = b.id JOIN customer c ON b.id = c.id JOIN customer d ON c.id = d.id JOIN customer e ON d.id = e.id JOIN customer f ON e.id = f.id JOIN customer g ON f.id = g.id JOIN customer h ON g.id = h.id LEFT JOIN category k ON k.id = h.id

SELECT count(*) OVER (), id FROM customer

SELECT name 'Label', id AS 'Other' FROM customer

SELECT offset, replace FROM (SELECT 1 AS offset, 2 AS replace)

SELECT name, (SELECT count(*) FROM invoice) + 1, (SELECT max(id) FROM line) x, (SELECT 1 FROM customer WHERE id = 1) AS y FROM customer

SELECT id, CASE WHEN EXISTS (SELECT 1 FROM invoice WHERE customer_id = c.id) THEN 'a "quote"' END FROM customer c

SELECT   ( SELECT name
   FROM customer /* why */ WHERE id = 1 )  , main.customer.id + 1, upper(main.customer.name), main.customer.name FROM main.customer

SELECT id IN (SELECT customer_id FROM invoice) IS NULL, id IN (SELECT 1 FROM customer) flag FROM customer

SELECT * FROM (SELECT (SELECT count(*) FROM customer), id FROM invoice)

SELECT (SELECT name FROM customer WHERE id) FROM customer

SELECT (main.customer.name), ((id)), (main.customer.id) + 1 FROM main.customer

SELECT (key, value) IN setting FROM setting

SELECT (SELECT count(*) FROM customer) /* the comment counts */ , 1

SELECT 1, (SELECT count(*) FROM customer) -- at the end

SELECT (SELECT count(*) FROM customer)  ;  -- behind

UPDATE setting SET value = 'x' WHERE key = 'title' RETURNING key, (SELECT count(*) FROM customer)

REPLACE INTO setting (key, value) VALUES ('title', 'replaced')

REPLACE INTO setting VALUES ('title', 'replaced'), ('q', 'r')

INSERT OR REPLACE INTO setting (key, value) VALUES ('title', 'replaced')

INSERT OR IGNORE INTO setting (key, value) VALUES ('title', 'ignored')

INSERT OR IGNORE INTO customer (name, email) VALUES ('x', 'a1@x.test')

INSERT OR REPLACE INTO product (id, sku, name) VALUES (99, 'SKU-x', 'replaced')

INSERT OR REPLACE INTO "Odd Name" (id, "Mixed Case") VALUES (1, 'replaced')

INSERT INTO customer (id, name, email) VALUES (NULL, 'x', 'new@x.test')

INSERT INTO customer VALUES (NULL, 'n', 'n@x.test', 'Bern', 1, 5, 'CH', NULL)

INSERT INTO category SELECT id + 100, parent_id, name FROM category

INSERT INTO category SELECT NULL, id, name FROM category ORDER BY id DESC

INSERT INTO category (id, name) SELECT NULL, name FROM customer ORDER BY id

INSERT INTO category (name) VALUES ('a') UNION ALL SELECT 'b'

INSERT INTO category (name) VALUES ('a'), ('b') RETURNING id

INSERT INTO category (name) SELECT name FROM customer WHERE true ON CONFLICT DO NOTHING

INSERT INTO setting (key, value) SELECT name, city FROM customer WHERE true ON CONFLICT (key) DO UPDATE SET value = excluded.value

INSERT INTO setting (key, value) VALUES ('title', 'x') ON CONFLICT (key COLLATE BINARY) DO UPDATE SET value = excluded.value

SELECT sqlite_version() > '3', name FROM customer

INSERT INTO setting (key, value) VALUES ('title', 'x') ON CONFLICT DO UPDATE SET value = 'y'

INSERT INTO main.setting (key, value) VALUES ('m', 'n')

UPDATE main.customer SET name = 'x' WHERE id = 1

UPDATE OR IGNORE setting SET key = 'title'

UPDATE OR REPLACE setting SET key = 'title' WHERE key = 'currency'

UPDATE customer INDEXED BY sqlite_autoindex_customer_1 SET name = 'x' WHERE email = 'a1@x.test'

UPDATE setting SET value = json_object('a', 1)

DELETE FROM main.line WHERE id = 1

DELETE FROM line NOT INDEXED WHERE id = 1

DELETE FROM line WHERE id IN (SELECT id FROM line ORDER BY price DESC LIMIT 3)
""")

POSTGRESQL = _statements(r"""
WITH a AS (DELETE FROM line USING invoice WHERE invoice.id = line.invoice_id RETURNING line.id), b AS (UPDATE setting SET value = c.name FROM customer c WHERE c.id = 1 RETURNING value) SELECT (SELECT count(*) FROM a), b.value FROM b

SELECT id, (SELECT name FROM (SELECT 'x' AS name) z) FROM (category CROSS JOIN (SELECT 1 AS one) y) AS j GROUP BY id

SELECT * FROM public.customer

SELECT public.customer.name FROM public.customer

SELECT * FROM ONLY customer

SELECT c.* FROM customer * c

TABLE customer

TABLE public.setting

SELECT id, name::varchar(4), total::int, created::timestamp with time zone FROM invoice JOIN customer USING (id)

SELECT c.id, c.name, c.city, count(i.id) FROM customer c LEFT JOIN invoice i ON i.customer_id = c.id GROUP BY c.id ORDER BY c.name

SELECT c.*, count(i.id) AS n FROM customer c LEFT JOIN invoice i ON i.customer_id = c.id GROUP BY c.id

SELECT customer.id, name, sum(total) FROM customer JOIN invoice ON invoice.customer_id = customer.id GROUP BY customer.id HAVING max(balance) > 5 ORDER BY balance DESC

SELECT id, name FROM customer GROUP BY id

SELECT id k, name FROM customer GROUP BY k

SELECT DISTINCT city FROM customer*ORDER BY 1

UPDATE setting SET value = '1'RETURNING *

INSERT INTO setting VALUES('r','s')RETURNING*

SELECT*FROM customer*WHERE"id"=1

SELECT c IS NULL, (c).name, c::text, json_build_object('c', c), to_jsonb(c) FROM customer c

SELECT id AS k, name FROM customer GROUP BY k

SELECT c.id, upper(c.name) FROM customer c GROUP BY 1

SELECT c.id, i.number, c.name, sum(l.qty) FROM customer c JOIN invoice i ON i.customer_id = c.id JOIN line l ON l.invoice_id = i.id GROUP BY c.id, i.id ORDER BY i.number

SELECT s.key, s.value, count(*) FROM setting s CROSS JOIN customer GROUP BY s.key

SELECT city, active, count(*) FROM customer GROUP BY ROLLUP (city, active)

SELECT city, active, count(*), grouping(city) FROM customer GROUP BY GROUPING SETS ((city), (active), ())

SELECT city, active, count(*) FROM customer GROUP BY CUBE (city, active) ORDER BY 1, 2

SELECT c.name, l.number FROM customer c CROSS JOIN LATERAL (SELECT number FROM invoice i WHERE i.customer_id = c.id ORDER BY total DESC LIMIT 1) l

SELECT c.name, l.n FROM customer c LEFT JOIN LATERAL (SELECT count(*) AS n FROM invoice i WHERE i.customer_id = c.id) l ON true

SELECT DISTINCT ON (customer_id) customer_id, number FROM invoice ORDER BY customer_id, total DESC

SELECT id FROM customer FOR UPDATE

SELECT c.id FROM customer c JOIN invoice i ON i.customer_id = c.id FOR UPDATE OF c SKIP LOCKED

SELECT id FROM customer ORDER BY id LIMIT 2 FOR NO KEY UPDATE NOWAIT

SELECT id FROM customer FOR SHARE

SELECT id FROM customer ORDER BY id FETCH FIRST 3 ROWS ONLY

SELECT id FROM customer ORDER BY id OFFSET 2 ROWS FETCH NEXT 2 ROWS ONLY

SELECT id FROM invoice ORDER BY customer_id FETCH FIRST 3 ROWS WITH TIES

SELECT count(*) FROM customer TABLESAMPLE BERNOULLI (100)

SELECT count(*) FROM customer AS c TABLESAMPLE SYSTEM (100) REPEATABLE (1)

SELECT row_to_json(c) FROM customer c ORDER BY id

SELECT to_jsonb(customer) FROM customer

SELECT (c).name FROM customer c

SELECT (c).* FROM customer c

SELECT array_agg(c.id ORDER BY c.id DESC) FROM customer c

SELECT json_agg(c) FROM customer c

SELECT string_agg(DISTINCT city, ',' ORDER BY city) FROM customer

SELECT count(c) , count(c.*) FROM customer c

SELECT ARRAY(SELECT id FROM customer ORDER BY id), ARRAY[1, 2, 3]

SELECT id FROM customer WHERE id = ANY (ARRAY[1, 2])

SELECT id FROM customer WHERE id = ANY (SELECT customer_id FROM invoice)

SELECT id FROM customer WHERE id <> ALL (SELECT customer_id FROM invoice WHERE paid = 1)

SELECT id FROM customer WHERE ROW(id, active) = ROW(1, 1)

SELECT id FROM customer WHERE (id, name) = (SELECT id, name FROM customer WHERE id = 1)

SELECT g, c.name FROM generate_series(1, 3) AS g JOIN customer c ON c.id = g

SELECT g.n, count(i.id) FROM generate_series(1, 12) AS g(n) LEFT JOIN invoice i ON extract(month FROM i.created) = g.n GROUP BY g.n ORDER BY g.n

SELECT u.x, u.ord FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u(x, ord)

SELECT p.id, s.value FROM product p, json_array_elements_text(p.data -> 'sizes') AS s(value)

SELECT p.id, e.key FROM product p CROSS JOIN LATERAL json_each_text(p.data) e

SELECT data ->> 'colour', data #>> '{sizes,0}', data::jsonb @> '{"mark": "a"}', data::jsonb ? 'mark' FROM product

SELECT x.a, x.b FROM json_to_recordset('[{"a":1,"b":"x"}]') AS x(a int, b text)

SELECT * FROM json_populate_record(NULL::record, '{}') AS x(a int)

SELECT date_trunc('month', created) AS m, sum(total) FROM invoice GROUP BY m ORDER BY m

SELECT extract(year FROM created), to_char(created, 'YYYY-MM'), age(created, date '2024-01-01'), created + interval '1 day' FROM invoice

SELECT created AT TIME ZONE 'UTC', timestamp '2024-01-01 10:00', timestamp with time zone '2024-01-01 00:00+00' FROM invoice

SELECT trim(both 'a' from name), substring(name from 1 for 3), substring(name from 'c.*'), position('c' in name), overlay(name placing 'zz' from 1 for 2) FROM customer

SELECT name ~ '^a', name ~* 'A', name !~ 'x', name ILIKE 'A%', name SIMILAR TO '%1' FROM customer

SELECT E'tab\tquote\'s', $$dollar 'quoted'$$, $tag$ $$ $tag$, U&'\0041', B'101', X'1F' FROM customer

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY paid) FROM invoice

SELECT id FROM customer WHERE to_tsvector('simple', name) @@ to_tsquery('simple', 'customer')

SELECT (ARRAY[1,2,3])[1:2], (ARRAY[1,2,3])[2]

SELECT int4range(1, 5) && int4range(4, 8), md5(name), gen_random_uuid() IS NOT NULL FROM customer

SELECT pg_catalog.lower(name), pg_catalog.count(*) OVER () FROM customer

SELECT current_date = current_date, now() = now(), current_timestamp IS NOT NULL, localtime IS NOT NULL

SELECT id FROM customer WHERE EXISTS (SELECT FROM invoice WHERE customer_id = customer.id)

(SELECT id FROM customer ORDER BY id LIMIT 2) UNION ALL (SELECT id FROM category ORDER BY id DESC LIMIT 1)

SELECT id FROM customer WHERE id IN ((SELECT customer_id FROM invoice LIMIT 1) UNION (SELECT 2))

WITH x AS MATERIALIZED (SELECT id FROM customer), y AS NOT MATERIALIZED (SELECT id FROM x) SELECT count(*) FROM y

WITH customer AS (SELECT * FROM customer WHERE id < 4) SELECT count(*) FROM customer

WITH invoice AS (SELECT * FROM customer), customer AS (SELECT * FROM invoice) SELECT count(*) FROM customer

WITH customer AS (SELECT 7 AS id) SELECT a.id, b.id FROM customer a, public.customer b

WITH RECURSIVE t AS (SELECT id, parent_id FROM category WHERE id = 1 UNION ALL SELECT c.id, c.parent_id FROM category c JOIN t ON c.parent_id = t.id) SEARCH DEPTH FIRST BY id SET ord SELECT id FROM t ORDER BY ord

WITH RECURSIVE t AS (SELECT id, parent_id FROM category WHERE id = 1 UNION ALL SELECT c.id, c.parent_id FROM category c JOIN t ON c.parent_id = t.id) CYCLE id SET looped USING path SELECT id, looped FROM t

WITH gone AS (DELETE FROM line WHERE qty = 1 RETURNING *) SELECT count(*) FROM gone

WITH moved AS (UPDATE customer SET balance = 0 RETURNING id, name) INSERT INTO setting (key, value) SELECT name, id FROM moved

WITH added AS (INSERT INTO category (name) VALUES ('x'), ('y') RETURNING *) SELECT * FROM added

WITH a AS (SELECT 1) , b AS (INSERT INTO setting (key, value) VALUES ('k', 'v') ON CONFLICT (key) DO NOTHING) DELETE FROM line WHERE id = 1

INSERT INTO customer AS c (name, email) VALUES ('x', 'a1@x.test') ON CONFLICT (email) DO UPDATE SET name = c.name || excluded.name WHERE c.active >= 0 RETURNING c.*

INSERT INTO setting (key, value) VALUES ('title', 'x') ON CONFLICT ON CONSTRAINT setting_pkey DO UPDATE SET value = excluded.value

SELECT version() LIKE 'PostgreSQL%', name FROM customer

INSERT INTO invoice (number, created) SELECT 'n' || id, '2020-01-01' FROM customer

INSERT INTO invoice (number, total, created) SELECT DISTINCT 'n' || city, 5, date '2020-01-01' FROM customer WHERE city IS NOT NULL ORDER BY 1

INSERT INTO category (name, parent_id) VALUES ('x', DEFAULT), (DEFAULT, 1)

INSERT INTO category VALUES (500)

INSERT INTO category (id, name) OVERRIDING SYSTEM VALUE VALUES (501, 'x')

INSERT INTO setting (SELECT 'k' || id, name FROM customer)

INSERT INTO setting (key, value) (SELECT name, city FROM customer ORDER BY id LIMIT 1) UNION ALL VALUES ('v', 'w')

INSERT INTO country VALUES ('IT', 'Italy')

INSERT INTO customer (name, email) VALUES ('x', 'a1@x.test'), ('y', 'new') ON CONFLICT (email) DO UPDATE SET name = excluded.name RETURNING id, (xmax = 0) AS inserted

SELECT id FROM customer ORDER BY name USING >

UPDATE ONLY customer SET balance = 1

UPDATE customer c SET balance = i.total FROM invoice i WHERE i.customer_id = c.id AND i.id = (SELECT max(id) FROM invoice WHERE customer_id = c.id) RETURNING *

UPDATE customer c SET balance = 1 FROM invoice i JOIN line l ON l.invoice_id = i.id WHERE i.customer_id = c.id AND l.qty = 3 RETURNING c.*

UPDATE customer SET balance = DEFAULT, name = upper(name)

UPDATE customer SET (balance, city) = ROW (3, 'x')

DELETE FROM line USING invoice WHERE invoice.id = line.invoice_id AND invoice.paid = 1

DELETE FROM line l USING invoice i, customer c WHERE i.id = l.invoice_id AND c.id = i.customer_id AND c.active = 1 RETURNING l.id, c.name

DELETE FROM line l USING invoice i JOIN customer c ON c.id = i.customer_id WHERE i.id = l.invoice_id RETURNING *

DELETE FROM ONLY line WHERE id = 2

DELETE FROM line WHERE id = ANY(ARRAY[1, 2, 3]) RETURNING line.*

SELECT setting IS NOT NULL FROM setting

SELECT line.id FROM line WHERE line IS NOT NULL

SELECT a.id FROM customer a JOIN customer b ON left(a.name, 1) = left(b.name, 1) LEFT JOIN invoice i ON i.customer_id = a.id AND right(i.number, 1) = '1'

SELECT count(*) FROM customer a JOIN invoice b JOIN line c ON c.invoice_id = b.id ON b.customer_id = a.id

SELECT xmin FROM (SELECT min(id) AS xmin FROM customer) AS s

SELECT CAST(id AS text) COLLATE "C", name COLLATE "C" FROM customer ORDER BY name COLLATE "C"

SELECT id OPERATOR(pg_catalog.+) 1 FROM customer

SELECT sum(total) OVER (PARTITION BY customer_id ORDER BY id RANGE BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM invoice

SELECT make_interval(days => id) FROM customer

SELECT x FROM regexp_split_to_table('a b', ' ') AS x

SELECT * FROM customer WHERE id = 1 AND name <> '' AND balance >= 0 AND email != 'q' AND id % 2 = 1 AND id & 1 = 1
""")
