"""Django, bare or with django-tenants: ``python bench/beside/theirs.py [--bare] HOST PORT USER PASSWORD DATABASE``.

It runs in a virtual environment of its own (requirements.txt), and imports nothing of flask_tenant.
"""

import sys

import django
from asking import TENANTS, serve
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpResponse
from django.urls import path

*options, host, port, user, password, database = sys.argv[1:]
BARE = "--bare" in options
APPS = ["django.contrib.contenttypes", "customers"]

settings.configure(
    SECRET_KEY="bench",
    ALLOWED_HOSTS=[".example.com"],
    ROOT_URLCONF=__name__,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    INSTALLED_APPS=[*([] if BARE else ["django_tenants"]), *APPS],
    SHARED_APPS=["django_tenants", *APPS],
    TENANT_APPS=APPS,
    TENANT_MODEL="customers.Client",
    TENANT_DOMAIN_MODEL="customers.Domain",
    MIDDLEWARE=[] if BARE else ["django_tenants.middleware.main.TenantMainMiddleware"],
    DATABASE_ROUTERS=[] if BARE else ["django_tenants.routers.TenantSyncRouter"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql" if BARE else "django_tenants.postgresql_backend",
            "HOST": host,
            "PORT": port,
            "USER": user,
            "PASSWORD": password,
            "NAME": database,
            "CONN_MAX_AGE": None,  # the connection is kept, as SQLAlchemy's pool does
        }
    },
)
django.setup()

from customers import models  # noqa: E402 - Django has to be set up first


def nothing(request):
    return HttpResponse(b"hello")


def row(request):
    return HttpResponse(models.Note.objects.values_list("text", flat=True)[0])


urlpatterns = [path("nothing", nothing), path("row", row)]


def populate():
    """Make the tables, the tenants and their rows."""
    if BARE:
        with connection.schema_editor() as editor:
            editor.create_model(models.Note)
        models.Note.objects.create(text="7")
        return
    with connection.schema_editor() as editor:
        editor.create_model(models.Client)
        editor.create_model(models.Domain)
    for number in range(TENANTS):
        connection.set_schema_to_public()
        client = models.Client.objects.create(schema_name=f"t{number}")
        models.Domain.objects.create(domain=f"t{number}.example.com", tenant=client, is_primary=True)
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA t{number}")
        connection.set_tenant(client)
        with connection.schema_editor() as editor:
            editor.create_model(models.Note)
        models.Note.objects.create(text=str(number))


if __name__ == "__main__":
    populate()
    serve(get_wsgi_application())
