from demo_app import create_app, facts
from flask_tenant import Tenancy

app = create_app(
    {"TENANT_SHARED_TABLES": ["country"], "TENANT_THEME_FOLDER": "../demo_themes"},
    extensions=[facts.known_to(Tenancy())],
)
