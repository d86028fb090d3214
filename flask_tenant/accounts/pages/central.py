"""Pages of the central host: finding one's workspace, and signing up for one."""

from __future__ import annotations

from .routes import Pages

pages = Pages()
