"""What `celery -A` loads."""

from __future__ import annotations

from tests.adapters.shop import create_app

app = create_app()
celery = app.extensions["celery"]
