"""default settings

Revision ID: 5a86d1c9e247
Revises: 1f0c2a7be310
Create Date: 2024-03-05 14:30:02
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "5a86d1c9e247"
down_revision = "1f0c2a7be310"
branch_labels = None
depends_on = None

setting = sa.table("setting", sa.column("key", sa.String), sa.column("value", sa.Text))

DEFAULTS = {
    "company_name": "My Company",
    "tagline": "",
    "street": "",
    "city": "",
    "email": "",
    "phone": "",
    "vat_id": "",
    "bank_account": "",
    "currency": "EUR",
    "locale": "en_GB",
    "accent_colour": "#2563eb",
    "invoice_prefix": "INV",
    "payment_days": "30",
    "invoice_footer": "",
}


def upgrade() -> None:
    op.bulk_insert(setting, [{"key": key, "value": value} for key, value in DEFAULTS.items()])


def downgrade() -> None:
    op.execute(setting.delete().where(setting.c.key.in_(DEFAULTS)))
