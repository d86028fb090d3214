"""orders, tickets and credit notes; tax numbers, IBANs, and what users work at

Revision ID: 47c1e2d8b9a0
Revises: e6a1039d84bc
Create Date: 2026-02-16 10:05:18
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "47c1e2d8b9a0"
down_revision = "e6a1039d84bc"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user", sa.Column("roles", sa.String(length=120), server_default="", nullable=False))
    op.add_column("customer", sa.Column("tax_id", sa.String(length=30), server_default="", nullable=False))
    op.add_column("customer", sa.Column("credit_note", sa.Text(), server_default="", nullable=False))
    op.add_column("invoice", sa.Column("iban", sa.String(length=34), server_default="", nullable=False))
    with op.batch_alter_table("invoice") as batch_op:
        batch_op.drop_index(op.f("ix_invoice_issue_date"))
        batch_op.alter_column(
            "issue_date", new_column_name="issued_on", existing_type=sa.Date(), existing_nullable=False
        )
    op.create_index(op.f("ix_invoice_issued_on"), "invoice", ["issued_on"], unique=False)

    op.create_table(
        "order",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("ordered_on", sa.Date(), nullable=False),
        sa.Column("description", sa.String(length=300), nullable=False),
        sa.Column("total", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("approved_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("total >= 0", name=op.f("ck_order_total_not_negative")),
        sa.CheckConstraint(
            "status IN ('new', 'pending', 'approved', 'shipped', 'cancelled')",
            name=op.f("ck_order_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_order_customer_id_customer"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["user.id"], name=op.f("fk_order_created_by_id_user"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["user.id"], name=op.f("fk_order_approved_by_user"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order")),
        sa.UniqueConstraint("number", name=op.f("uq_order_number")),
    )
    op.create_index(op.f("ix_order_customer_id"), "order", ["customer_id"], unique=False)
    op.create_index(op.f("ix_order_ordered_on"), "order", ["ordered_on"], unique=False)

    op.create_table(
        "ticket",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Integer(), nullable=True),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("closed_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint("state IN ('open', 'waiting', 'closed')", name=op.f("ck_ticket_state_known")),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customer.id"], name=op.f("fk_ticket_customer_id_customer"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user.id"], name=op.f("fk_ticket_owner_id_user"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
    )
    op.create_index(op.f("ix_ticket_owner_id"), "ticket", ["owner_id"], unique=False)
    op.create_index(op.f("ix_ticket_customer_id"), "ticket", ["customer_id"], unique=False)

    op.create_table(
        "credit_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=30), nullable=False),
        sa.Column("invoice_id", sa.Integer(), nullable=False),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.Numeric(precision=12, scale=2), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_note_amount_positive")),
        sa.ForeignKeyConstraint(
            ["invoice_id"],
            ["invoice.id"],
            name=op.f("fk_credit_note_invoice_id_invoice"),
            ondelete="RESTRICT",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_note")),
        sa.UniqueConstraint("number", name=op.f("uq_credit_note_number")),
    )
    op.create_index(op.f("ix_credit_note_invoice_id"), "credit_note", ["invoice_id"], unique=False)


def downgrade() -> None:
    for table in ("credit_note", "ticket", "order"):
        op.drop_table(table)
    op.drop_index(op.f("ix_invoice_issued_on"), table_name="invoice")
    with op.batch_alter_table("invoice") as batch_op:
        batch_op.alter_column(
            "issued_on", new_column_name="issue_date", existing_type=sa.Date(), existing_nullable=False
        )
        batch_op.drop_column("iban")
    op.create_index(op.f("ix_invoice_issue_date"), "invoice", ["issue_date"], unique=False)
    with op.batch_alter_table("customer") as batch_op:
        batch_op.drop_column("credit_note")
        batch_op.drop_column("tax_id")
    with op.batch_alter_table("user") as batch_op:
        batch_op.drop_column("roles")
