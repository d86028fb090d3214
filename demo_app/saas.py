from flask_tenant import Tenancy

from demo_app import create_app

app = create_app({"TENANT_SHARED_TABLES": ["country"]}, extensions=[Tenancy()])
