"""e-mail addresses of customers are unique, numbers may be longer, products can be retired

Revision ID: e6a1039d84bc
Revises: d92b7f5c1e63
Create Date: 2025-08-11 11:20:33
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "e6a1039d84bc"
down_revision = "d92b7f5c1e63"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("customer") as batch_op:
        batch_op.create_unique_constraint(op.f("uq_customer_email"), ["email"])
    with op.batch_alter_table("invoice") as batch_op:
        batch_op.alter_column(
            "number", existing_type=sa.String(length=20), type_=sa.String(length=30), existing_nullable=False
        )
        batch_op.create_check_constraint(
            op.f("ck_invoice_status_known"), "status IN ('draft', 'sent', 'paid', 'void')"
        )
    with op.batch_alter_table("product") as batch_op:
        batch_op.add_column(sa.Column("active", sa.Boolean(), server_default=sa.true(), nullable=False))
    with op.batch_alter_table("product") as batch_op:
        batch_op.alter_column("active", existing_type=sa.Boolean(), server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("product") as batch_op:
        batch_op.drop_column("active")
    with op.batch_alter_table("invoice") as batch_op:
        batch_op.drop_constraint(op.f("ck_invoice_status_known"), type_="check")
        batch_op.alter_column(
            "number", existing_type=sa.String(length=30), type_=sa.String(length=20), existing_nullable=False
        )
    with op.batch_alter_table("customer") as batch_op:
        batch_op.drop_constraint(op.f("uq_customer_email"), type_="unique")
