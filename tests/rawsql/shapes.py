# ruff: noqa: E501 - statements and what they give stand on one line
"""Makes up statements, shape by shape."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from random import Random

from tests.rawsql.world import BY_NAME

NUMBERS = {
    "customer": ["id", "active", "balance", "boss_id"],
    "product": ["id", "price"],
    "invoice": ["id", "customer_id", "total", "paid"],
    "line": ["id", "invoice_id", "product_id", "qty", "price"],
    "category": ["id", "parent_id"],
}
TEXTS = {
    "customer": ["name", "email", "city"], "product": ["sku", "name"], "invoice": ["number", "note"], "line": [],
    "category": ["name"],
}  # fmt: skip
LINKS = [
    ("invoice", "customer_id", "customer"), ("line", "invoice_id", "invoice"), ("line", "product_id", "product"),
    ("category", "parent_id", "category"), ("customer", "boss_id", "customer"),
]  # fmt: skip


class Maker:
    """Statements over the world's tables.

    :param sqlite: leave out what only PostgreSQL has, and the other way round
    """

    def __init__(self, random: Random, *, sqlite: bool) -> None:
        self.random = random
        self.sqlite = sqlite
        self.count = 0

    def pick(self, items: list[str] | tuple[str, ...]) -> str:
        return self.random.choice(items)

    def chance(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def table(self) -> str:
        return self.pick(list(NUMBERS))

    def alias(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def named(self, table: str) -> tuple[str, str]:
        """``FROM`` text and the name that qualifies columns."""
        shown = table
        if self.chance(20):
            shown = f'"{table}"'
        elif self.chance(15):
            shown = f"main.{table}" if self.sqlite else f"public.{table}"
        elif self.sqlite and self.chance(10):
            shown = self.pick([f"[{table}]", f"`{table}`", table.upper()])
        alias = self.alias()
        return f"{shown}{self.pick([' ', ' AS ', ' as '])}{alias}", alias

    def number(self, table: str, alias: str) -> str:
        return f"{alias}.{self.pick(NUMBERS[table])}"

    def value(self, table: str, alias: str, depth: int) -> str:
        """An expression that gives a number."""
        column = self.number(table, alias)
        kind = self.random.randrange(9 if depth else 6)
        if kind == 0:
            return f"coalesce({column}, {self.random.randrange(9)})"
        if kind == 1:
            return f"{column} + {self.random.randrange(9)}"
        if kind == 2:
            return f"CASE WHEN {self.condition(table, alias, 0)} THEN 1 ELSE {column} END"
        if kind == 3:
            return f"abs({column} - 3) * 2"
        if kind == 6:
            other = self.table()
            source, inner = self.named(other)
            return f"(SELECT {self.pick(['max', 'min', 'count', 'sum'])}({self.number(other, inner)}) FROM {source})"
        if kind == 7:
            child, key, parent = self.pick_link()
            source, inner = self.named(child)
            if parent == table:
                return f"(SELECT count(*) FROM {source} WHERE {inner}.{key} = {alias}.id)"
        return column

    def pick_link(self) -> tuple[str, str, str]:
        return self.random.choice(LINKS)

    def condition(self, table: str, alias: str, depth: int) -> str:
        column = self.number(table, alias)
        kind = self.random.randrange(14 if depth else 8)
        if kind == 0:
            return f"{column} > {self.random.randrange(20)}"
        if kind == 1:
            return f"{column} IS NOT NULL"
        if kind == 2:
            return f"{column} BETWEEN 1 AND {self.random.randrange(2, 40)}"
        if kind == 3:
            return f"({column} < 9 OR {self.number(table, alias)} = 1)"
        if kind == 4:
            return f"{column} IN (1, 2, {self.random.randrange(9)})"
        if kind == 5 and TEXTS[table]:
            return f"{alias}.{self.pick(TEXTS[table])} LIKE '%{self.random.randrange(9)}%'"
        if kind == 6:
            return "1 = 1 OR 1 = 1"
        if kind == 7:
            return f"NOT {column} = 2"
        other = self.table()
        source, inner = self.named(other)
        if kind == 8:
            return f"{column} IN (SELECT {self.number(other, inner)} FROM {source})"
        if kind == 9:
            return f"EXISTS (SELECT 1 FROM {source} WHERE {self.number(other, inner)} = {column})"
        if kind == 10:
            return f"{column} > (SELECT avg({self.number(other, inner)}) FROM {source})"
        if kind == 11:
            return (
                f"({self.condition(table, alias, depth - 1)}) AND ({self.condition(table, alias, depth - 1)})"
            )
        if kind == 12:
            return (
                f"{column} NOT IN (SELECT {inner}.id FROM {source} WHERE {self.condition(other, inner, 0)})"
            )
        return f"{self.condition(table, alias, depth - 1)} OR {self.condition(table, alias, depth - 1)}"

    def where(self, table: str, alias: str, depth: int = 1) -> str:
        return f" WHERE {self.condition(table, alias, depth)}" if self.chance(75) else ""

    # ---- shapes
    def plain(self) -> str:
        table = self.table()
        source, alias = self.named(table)
        columns = self.pick(
            [
                "*",
                f"{alias}.*",
                f"{alias}.id, {self.value(table, alias, 1)}",
                f"DISTINCT {self.number(table, alias)}",
            ]
        )
        if columns.endswith("*") and table == "product" and not self.sqlite:
            columns = f"{alias}.id, {alias}.name"
        return f"SELECT {columns} FROM {source}{self.where(table, alias, 2)}"

    def ordered(self) -> str:
        table = self.table()
        source, alias = self.named(table)
        return (
            f"SELECT {alias}.id, {self.value(table, alias, 1)} AS v FROM {source}{self.where(table, alias)} "
            f"ORDER BY v DESC, {alias}.id LIMIT {self.random.randrange(1, 9)} OFFSET {self.random.randrange(3)}"
        )

    def join(self) -> str:
        child, key, parent = self.pick_link()
        a, left = self.named(child)
        b, right = self.named(parent)
        kind = self.pick(["JOIN", "INNER JOIN", "LEFT JOIN", "LEFT OUTER JOIN", "RIGHT JOIN", "FULL JOIN"])
        extra = f" AND {self.number(parent, right)} > 2" if self.chance(40) and "FULL" not in kind else ""
        return (
            f"SELECT {left}.id, {right}.id, {self.value(child, left, 1)} FROM {a} {kind} {b} "
            f"ON {right}.id = {left}.{key}{extra}{self.where(child, left)}"
        )

    def comma_join(self) -> str:
        child, key, parent = self.pick_link()
        a, left = self.named(child)
        b, right = self.named(parent)
        return f"SELECT count(*), min({left}.id) FROM {a}, {b} WHERE {right}.id = {left}.{key} AND ({self.condition(parent, right, 1)})"

    def chain(self) -> str:
        i, invoice = self.named("invoice")
        c, customer = self.named("customer")
        line, item = self.named("line")
        p, product = self.named("product")
        return (
            f"SELECT {customer}.name, sum({item}.qty * {item}.price) FROM {c} {self.pick(['JOIN', 'LEFT JOIN'])} {i} ON "
            f"{invoice}.customer_id = {customer}.id JOIN {line} ON {item}.invoice_id = {invoice}.id LEFT JOIN {p} ON "
            f"{product}.id = {item}.product_id{self.where('customer', customer)} GROUP BY {customer}.name"
        )

    def using(self) -> str:
        one, two = self.table(), self.table()
        a, left = self.named(one)
        b, right = self.named(two)
        return f"SELECT id, {left}.id, {right}.id FROM {a} {self.pick(['JOIN', 'LEFT JOIN', 'FULL JOIN'])} {b} USING (id)"

    def grouped(self) -> str:
        table = self.table()
        source, alias = self.named(table)
        column = self.number(table, alias)
        having = f" HAVING count(*) > {self.random.randrange(3)}" if self.chance(50) else ""
        return f"SELECT {column}, count(*), sum({self.number(table, alias)}) FROM {source}{self.where(table, alias)} GROUP BY {column}{having}"

    def grouped_by_key(self) -> str:
        child, key, parent = self.pick_link()
        a, left = self.named(parent)
        b, right = self.named(child)
        shown = self.pick([f"{left}.id", f"{left}.name"]) if parent != "invoice" else f"{left}.number"
        return (
            f"SELECT {left}.id, {shown}, count({right}.id) FROM {a} LEFT JOIN {b} ON {right}.{key} = {left}.id "
            f"GROUP BY {left}.id{'' if not self.sqlite else ', ' + shown}"
        )

    def windowed(self) -> str:
        table = self.table()
        source, alias = self.named(table)
        call = self.pick(
            ["row_number()", "rank()", f"sum({self.number(table, alias)})", f"lag({alias}.id)", "count(*)"]
        )
        window = (
            f"PARTITION BY {self.number(table, alias)} ORDER BY {alias}.id"
            if self.chance(60)
            else f"ORDER BY {alias}.id"
        )
        return f"SELECT {alias}.id, {call} OVER ({window}) FROM {source}{self.where(table, alias)}"

    def derived(self) -> str:
        table = self.table()
        source, alias = self.named(table)
        outer = self.alias()
        return (
            f"SELECT {outer}.v, count(*) FROM (SELECT {alias}.id, {self.value(table, alias, 1)} AS v FROM {source}"
            f"{self.where(table, alias)}) {self.pick(['', 'AS '])}{outer} GROUP BY {outer}.v"
        )

    def cte(self) -> str:
        table, other = self.table(), self.table()
        source, alias = self.named(table)
        b, right = self.named(other)
        name = self.pick(["x", "totals", "setting", '"Odd"'])
        return (
            f"WITH {name} AS (SELECT {alias}.id AS k, {self.value(table, alias, 1)} AS v FROM {source}{self.where(table, alias)}) "
            f"SELECT {name}.k, {name}.v, {right}.id FROM {name} {self.pick(['JOIN', 'LEFT JOIN'])} {b} ON {right}.id = {name}.k"
        )

    def recursive(self) -> str:
        a, one = self.named("category")
        b, two = self.named("category")
        return (
            f"WITH RECURSIVE tree(id, depth) AS (SELECT {one}.id, 0 FROM {a} WHERE {one}.parent_id IS NULL UNION ALL "
            f"SELECT {two}.id, tree.depth + 1 FROM {b} JOIN tree ON {two}.parent_id = tree.id) "
            f"SELECT depth, count(*) FROM tree GROUP BY depth"
        )

    def compound(self) -> str:
        parts = []
        for _ in range(self.random.randrange(2, 4)):
            table = self.table()
            source, alias = self.named(table)
            parts.append(f"SELECT {alias}.id FROM {source}{self.where(table, alias)}")
        text = parts[0]
        for part in parts[1:]:
            text += f" {self.pick(['UNION', 'UNION ALL', 'INTERSECT', 'EXCEPT'])} {part}"
        return text + (" ORDER BY 1" if self.chance(50) else "")

    def values_in(self, table: str) -> tuple[str, str]:
        columns = [
            c
            for c in BY_NAME[table].columns
            if c
            not in (
                "id",
                "created",
                "data",
                "customer_id",
                "invoice_id",
                "product_id",
                "parent_id",
                "boss_id",
                "country_code",
                "email",
                "number",
                "sku",
            )
        ]
        self.random.shuffle(columns)
        columns = columns[: self.random.randrange(1, len(columns) + 1)]
        return ", ".join(columns), ", ".join(str(self.random.randrange(50)) for _ in columns)

    def returning(self, table: str) -> str:
        if not self.chance(50):
            return ""
        if table == "product" and not self.sqlite:
            return " RETURNING id"
        return self.pick([" RETURNING *", " RETURNING id", " RETURNING id AS k, id + 1"])

    def insert(self) -> str:
        table = self.table()
        columns, values = self.values_in(table)
        rows = ", ".join([f"({values})"] * self.random.randrange(1, 4))
        if not self.sqlite and table in ("customer", "product", "invoice", "category"):
            rows = ", ".join(f"({', '.join(repr(v.strip()) for v in values.split(','))})" for _ in range(2))
        return f"INSERT INTO {table} ({columns}) VALUES {rows}{self.returning(table)}"

    def insert_select(self) -> str:
        source, alias = self.named("customer")
        shown = self.pick([f"{alias}.name", f"DISTINCT {alias}.city", f"max({alias}.email)"])
        where = f" WHERE {self.condition('customer', alias, 1)}"
        order = f" ORDER BY {self.pick(['1', alias + '.id'])}" if shown.startswith(alias) else " ORDER BY 1"
        limit = f" LIMIT {self.random.randrange(1, 5)}" if order.endswith("id") else ""
        return f"INSERT INTO category (name) SELECT {shown} FROM {source}{where}{order}{limit}{self.returning('category')}"

    def upsert(self) -> str:
        key = self.pick(["title", "currency", "fresh", "only_a", "only_b"])
        action = self.pick([
            "DO NOTHING", "DO UPDATE SET value = excluded.value", "DO UPDATE SET value = setting.value || excluded.value",
            "DO UPDATE SET value = 'v' WHERE setting.value <> 'x' OR 1 = 1",
        ])  # fmt: skip
        target = self.pick([" (key)", ""]) if action == "DO NOTHING" else " (key)"
        end = self.pick(["", " RETURNING *", " RETURNING key"])
        return f"INSERT INTO setting (key, value) VALUES ('{key}', 'new'), ('other', 'o') ON CONFLICT{target} {action}{end}"

    def update(self) -> str:
        table = self.table()
        name = self.pick([table, f'"{table}"', f"{table} AS u"])
        alias = "u" if name.endswith(" u") else table
        column = self.pick(
            [c for c in NUMBERS[table] if c in ("active", "balance", "price", "total", "paid", "qty")]
            or ["name"]
        )
        value = self.value(table, alias, 0) if column != "name" else "'renamed'"
        return f"UPDATE {name} SET {column} = {value}{self.where(table, alias, 2)}{self.returning(table)}"

    def update_from(self) -> str:
        a, alias = self.named("customer")
        return (
            f"UPDATE invoice SET note = {alias}.{self.pick(['name', 'city'])} FROM {a} WHERE {alias}.id = invoice.customer_id "
            f"AND ({self.condition('customer', alias, 1)} OR {self.condition('customer', alias, 0)})"
        )

    def delete(self) -> str:
        name = self.pick(["line", '"line"', "line AS d"])
        alias = "d" if name.endswith(" d") else "line"
        return f"DELETE FROM {name}{self.where('line', alias, 2)}{self.returning('line')}"

    def delete_using(self) -> str:
        a, alias = self.named("invoice")
        if self.sqlite:
            return f"DELETE FROM line WHERE invoice_id IN (SELECT {alias}.id FROM {a}{self.where('invoice', alias)})"
        return f"DELETE FROM line USING {a} WHERE {alias}.id = line.invoice_id AND ({self.condition('invoice', alias, 1)})"

    def writing_cte(self) -> str:
        source, alias = self.named("customer")
        head = f"WITH x AS (SELECT {alias}.id FROM {source}{self.where('customer', alias)}) "
        return head + self.pick([
            "UPDATE invoice SET paid = 5 WHERE customer_id IN (SELECT id FROM x)",
            "DELETE FROM line WHERE invoice_id IN (SELECT id FROM x)",
            "INSERT INTO category (name) SELECT 'c' FROM x",
        ])  # fmt: skip

    def many(self) -> str:
        names = [self.named("customer") for _ in range(self.random.randrange(9, 12))]
        ons = " AND ".join(f"{a}.id = {b}.id" for (_, a), (_, b) in pairwise(names))
        first = names[0][1]
        return f"SELECT {first}.id, {first}.name FROM {', '.join(s for s, _ in names)} WHERE {ons} AND ({self.condition('customer', first, 1)})"


SHAPES: dict[str, Callable[[Maker], str]] = {
    name: getattr(Maker, name)
    for name in (
        "plain", "ordered", "join", "comma_join", "chain", "using", "grouped", "grouped_by_key", "windowed", "derived",
        "cte", "recursive", "compound", "insert", "insert_select", "upsert", "update", "update_from", "delete",
        "delete_using", "writing_cte", "many",
    )
}  # fmt: skip
