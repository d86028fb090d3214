"""The tenants, and what belongs to them."""

from django.conf import settings
from django.db import models


class Note(models.Model):
    text = models.TextField()

    class Meta:
        db_table = "note"


if "django_tenants" in settings.INSTALLED_APPS:
    from django_tenants.models import DomainMixin, TenantMixin

    class Client(TenantMixin):
        auto_create_schema = False  # the schemas are made by hand: migrations are not what is measured

    class Domain(DomainMixin):
        pass
