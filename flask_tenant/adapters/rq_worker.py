"""An RQ worker that knows the Flask application before it looks at a job.

``FLASK_APP=shop rq worker --worker-class flask_tenant.adapters.rq_worker.TenantWorker``
"""

from __future__ import annotations

import os
from typing import Any

from flask.cli import ScriptInfo
from rq import Worker


class TenantWorker(Worker):
    """Loads the application that ``FLASK_APP`` names, and runs each job in an application context."""

    def __init__(self, *args: Any, **kw: Any) -> None:
        self._flask = ScriptInfo(app_import_path=os.environ.get("FLASK_APP")).load_app()
        state = self._flask.extensions.get("tenancy")
        if state is not None:
            state.discover()
        super().__init__(*args, **kw)

    def perform_job(self, *args: Any, **kw: Any) -> bool:
        """Run a job in an application context."""
        with self._flask.app_context():
            return super().perform_job(*args, **kw)
