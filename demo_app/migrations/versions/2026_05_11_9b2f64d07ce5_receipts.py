"""payments have a receipt, whose day says to which month's books they belong

Revision ID: 9b2f64d07ce5
Revises: 47c1e2d8b9a0
Create Date: 2026-05-11 08:40:12
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9b2f64d07ce5"
down_revision = "47c1e2d8b9a0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment", sa.Column("issued_on", sa.Date(), nullable=True))
    op.execute("UPDATE payment SET issued_on = paid_on")
    with op.batch_alter_table("payment") as batch_op:
        batch_op.alter_column("issued_on", existing_type=sa.Date(), nullable=False)


def downgrade() -> None:
    with op.batch_alter_table("payment") as batch_op:
        batch_op.drop_column("issued_on")
