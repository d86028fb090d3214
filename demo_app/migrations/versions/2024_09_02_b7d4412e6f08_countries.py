"""countries by ISO code, instead of free text

Revision ID: b7d4412e6f08
Revises: 8c3e90f2ab15
Create Date: 2024-09-02 16:44:19
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "b7d4412e6f08"
down_revision = "8c3e90f2ab15"
branch_labels = None
depends_on = None

COUNTRIES = {
    "AT": "Austria",
    "AU": "Australia",
    "BE": "Belgium",
    "BG": "Bulgaria",
    "BR": "Brazil",
    "CA": "Canada",
    "CH": "Switzerland",
    "CN": "China",
    "CY": "Cyprus",
    "CZ": "Czechia",
    "DE": "Germany",
    "DK": "Denmark",
    "EE": "Estonia",
    "ES": "Spain",
    "FI": "Finland",
    "FR": "France",
    "GB": "United Kingdom",
    "GR": "Greece",
    "HR": "Croatia",
    "HU": "Hungary",
    "IE": "Ireland",
    "IN": "India",
    "IS": "Iceland",
    "IT": "Italy",
    "JP": "Japan",
    "LT": "Lithuania",
    "LU": "Luxembourg",
    "LV": "Latvia",
    "MT": "Malta",
    "MX": "Mexico",
    "NL": "Netherlands",
    "NO": "Norway",
    "NZ": "New Zealand",
    "PL": "Poland",
    "PT": "Portugal",
    "RO": "Romania",
    "SE": "Sweden",
    "SI": "Slovenia",
    "SK": "Slovakia",
    "TR": "Türkiye",
    "US": "United States",
    "ZA": "South Africa",
}


def upgrade() -> None:
    country = op.create_table(
        "country",
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_country")),
        sa.UniqueConstraint("name", name=op.f("uq_country_name")),
    )
    op.bulk_insert(country, [{"code": code, "name": name} for code, name in COUNTRIES.items()])
    with op.batch_alter_table("customer") as batch_op:
        batch_op.add_column(sa.Column("country_code", sa.String(length=2), nullable=True))
        batch_op.create_foreign_key(
            op.f("fk_customer_country_code_country"), "country", ["country_code"], ["code"]
        )
    op.execute(
        "UPDATE customer SET country_code ="
        " (SELECT c.code FROM country AS c WHERE lower(c.name) = lower(trim(customer.country)))"
    )
    with op.batch_alter_table("customer") as batch_op:
        batch_op.drop_column("country")


def downgrade() -> None:
    with op.batch_alter_table("customer") as batch_op:
        batch_op.add_column(sa.Column("country", sa.String(length=80), nullable=True))
    op.execute(
        "UPDATE customer SET country = (SELECT c.name FROM country AS c WHERE c.code = customer.country_code)"
    )
    with op.batch_alter_table("customer") as batch_op:
        batch_op.drop_constraint(op.f("fk_customer_country_code_country"), type_="foreignkey")
        batch_op.drop_column("country_code")
    op.drop_table("country")
