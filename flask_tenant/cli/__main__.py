"""``python -m flask_tenant.cli`` is ``flask-tenant``."""

from . import main

main()
