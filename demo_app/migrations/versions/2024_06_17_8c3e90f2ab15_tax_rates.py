"""tax rates in a table of their own, instead of a percentage on each product

Revision ID: 8c3e90f2ab15
Revises: 5a86d1c9e247
Create Date: 2024-06-17 10:05:58
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "8c3e90f2ab15"
down_revision = "5a86d1c9e247"
branch_labels = None
depends_on = None


def upgrade() -> None:
    tax_rate = op.create_table(
        "tax_rate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("percent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_rate")),
        sa.UniqueConstraint("name", name=op.f("uq_tax_rate_name")),
    )
    op.bulk_insert(
        tax_rate,
        [
            {"name": "Standard", "percent": 2000},
            {"name": "Reduced", "percent": 500},
            {"name": "Zero", "percent": 0},
        ],
    )
    # A percentage that is none of the three gets a rate of its own.
    op.execute(
        """
        INSERT INTO tax_rate (name, percent)
        SELECT DISTINCT 'Rate ' || CAST(p.tax_percent AS VARCHAR(20)), p.tax_percent
        FROM product AS p
        WHERE NOT EXISTS (SELECT 1 FROM tax_rate AS r WHERE r.percent = p.tax_percent)
        """
    )
    with op.batch_alter_table("product") as batch_op:
        batch_op.add_column(sa.Column("tax_rate_id", sa.Integer(), nullable=True))
    op.execute(
        "UPDATE product SET tax_rate_id ="
        " (SELECT r.id FROM tax_rate AS r WHERE r.percent = product.tax_percent)"
    )
    with op.batch_alter_table("product") as batch_op:
        batch_op.alter_column("tax_rate_id", existing_type=sa.Integer(), nullable=False)
        batch_op.create_foreign_key(
            op.f("fk_product_tax_rate_id_tax_rate"), "tax_rate", ["tax_rate_id"], ["id"]
        )
        batch_op.drop_column("tax_percent")


def downgrade() -> None:
    with op.batch_alter_table("product") as batch_op:
        batch_op.add_column(sa.Column("tax_percent", sa.BigInteger(), nullable=True))
    op.execute(
        "UPDATE product SET tax_percent ="
        " (SELECT r.percent FROM tax_rate AS r WHERE r.id = product.tax_rate_id)"
    )
    with op.batch_alter_table("product") as batch_op:
        batch_op.alter_column("tax_percent", existing_type=sa.BigInteger(), nullable=False)
        batch_op.drop_constraint(op.f("fk_product_tax_rate_id_tax_rate"), type_="foreignkey")
        batch_op.drop_column("tax_rate_id")
    op.drop_table("tax_rate")
