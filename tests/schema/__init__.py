"""The schema side of the wall: DDL, reflection, the live catalogue, the check of keys, Alembic."""
