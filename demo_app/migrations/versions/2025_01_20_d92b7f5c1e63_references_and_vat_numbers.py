"""the customer's reference on invoices, VAT numbers, last log-in

Revision ID: d92b7f5c1e63
Revises: b7d4412e6f08
Create Date: 2025-01-20 08:51:07
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "d92b7f5c1e63"
down_revision = "b7d4412e6f08"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("invoice", sa.Column("reference", sa.String(length=80), server_default="", nullable=False))
    op.add_column("customer", sa.Column("vat_id", sa.String(length=30), server_default="", nullable=False))
    op.add_column("user", sa.Column("last_login_at", sa.DateTime(), nullable=True))
    op.create_index("ix_invoice_status_due_date", "invoice", ["status", "due_date"], unique=False)
    op.execute("INSERT INTO setting (key, value) VALUES ('heading_font', 'sans')")


def downgrade() -> None:
    op.execute("DELETE FROM setting WHERE key = 'heading_font'")
    op.drop_index("ix_invoice_status_due_date", table_name="invoice")
    with op.batch_alter_table("user") as batch_op:
        batch_op.drop_column("last_login_at")
    with op.batch_alter_table("customer") as batch_op:
        batch_op.drop_column("vat_id")
    with op.batch_alter_table("invoice") as batch_op:
        batch_op.drop_column("reference")
