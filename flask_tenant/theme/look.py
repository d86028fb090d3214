"""What templates call ``theme``: the look of the tenant whose turn it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flask
from markupsafe import escape

from .composing import Theme
from .scheme import Mode


class Look:
    """Each attribute is looked up when a template asks for it.

    :param current: gives the theme that holds
    :param path: below which stylesheets, logos and fonts are served
    """

    def __init__(self, current: Callable[[], Theme], path: str) -> None:
        self._current = current
        self._path = path

    # ---- addresses
    @property
    def stylesheet_url(self) -> str:
        """Address of the stylesheet. It changes with the theme, so that browsers may keep it for good."""
        theme = self._current()
        return self._url(theme, "style.css", theme.digest)

    @property
    def logo_url(self) -> str:
        """Address of the logo, ``""`` where there is none."""
        return self._logo("logo.light")

    @property
    def logo_dark_url(self) -> str:
        """Address of the logo for dark pages, ``""`` where there is none of its own."""
        return self._logo("logo.dark")

    def _logo(self, token: str) -> str:
        theme = self._current()
        asset = theme.assets.get(token)
        return self._url(theme, token.replace(".", "-"), asset.digest) if asset is not None else ""

    def _url(self, theme: Theme, name: str, version: str) -> str:
        root = flask.request.script_root if flask.has_request_context() else ""
        middle = f"{theme.name}/" if theme.name else ""
        return f"{root}{self._path}/{middle}{name}?v={version}"

    # ---- values
    @property
    def name(self) -> str:
        """Name of the theme that a rule has chosen, ``""`` for the tenant's own."""
        return self._current().name

    def colour(self, role: str, mode: Mode = "light") -> str:
        """A colour as ``#rrggbb``, for e-mails: their readers know no custom properties.

        :param role: such as ``accent``
        :raises KeyError: for a role that there is not
        """
        return str(self._current().colours[mode][role])

    @property
    def language(self) -> str:
        """The tenant's language, such as ``de_DE``; ``""`` where nobody has said one."""
        return self._current().value("language") or ""

    @property
    def timezone(self) -> str:
        """The tenant's time zone; ``""`` where nobody has said one."""
        return self._current().value("timezone") or ""

    @property
    def login(self) -> Any:
        """``heading``, ``text`` and ``layout`` of the log-in page."""
        theme = self._current()
        return {part: theme.value(f"login.{part}") or "" for part in ("heading", "text", "layout")}

    def __html__(self) -> str:
        """``{{ theme }}``: the link to the stylesheet."""
        return f'<link rel="stylesheet" href="{escape(self.stylesheet_url)}">'

    def __str__(self) -> str:
        return self.__html__()
