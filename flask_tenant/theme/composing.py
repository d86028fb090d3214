"""From layers (built-in, default, plan, tenant, rule) to one whole theme, checked as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from . import sheet
from .assets import Asset, AssetError, load
from .colours import Colour
from .reading import Wrong, read
from .scheme import MODES, Mode, build, unreadable
from .tokens import TOKENS, FileName

ASSETS = ("logo.light", "logo.dark", "font.body", "font.heading")
"""Tokens that may be files."""


@cache
def _unchanged() -> Mapping[Mode, Mapping[str, Colour]]:
    """The colours where nobody says anything."""
    return build({}, {})


@dataclass(frozen=True)
class Layer:
    """What one source says of a theme.

    :param source: for messages: a file, or ``the configuration of acme``
    :param raw: as it was written
    :param files: folder of its logos and fonts
    :param places: token path -> (line, column), where they are known
    """

    source: str
    raw: Any
    files: Path
    places: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """Where a token of it stands, as ``file:line:column``, or as much of it as is known."""
        while path and path not in self.places:
            path = path.rpartition(".")[0]
        line, column = self.places.get(path, (0, 0))
        return f"{self.source}:{line}:{column}" if line else self.source


@dataclass(frozen=True)
class Theme:
    """How pages look: a whole theme, every value typed and checked.

    :param name: of the named theme that is on top, ``""`` for the tenant's own
    :param values: by token, but for colours
    :param colours: by mode and role, derived ones included
    :param assets: logos and fonts, by token
    """

    name: str = ""
    values: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    colours: Mapping[Mode, Mapping[str, Colour]] = field(default_factory=_unchanged)
    assets: Mapping[str, Asset] = field(default_factory=lambda: MappingProxyType({}))

    def value(self, token: str) -> Any:
        """The value of a token that is no colour."""
        return self.values.get(token, TOKENS[token].default)

    @cached_property
    def stylesheet(self) -> str:
        """The theme as CSS."""
        return sheet.render(self.colours, self.value, self.assets)

    @cached_property
    def digest(self) -> str:
        """Changes with everything that a browser is sent: the stylesheet, the logo, the fonts."""
        return sheet.digest(self.stylesheet, (asset.digest for asset in self.assets.values()))


@dataclass(frozen=True)
class Composed:
    """A theme and what was wrong with its layers: a layer with a mistake is left out whole.

    :param timezone: what the last layer says that has none wrong, whatever else is wrong in it: rules count days by it,
        and a colour that nobody can read must not move midnight. ``""`` where none says anything
    """

    theme: Theme
    findings: tuple[str, ...] = ()
    timezone: str = ""


def compose(name: str, layers: Iterable[Layer]) -> Composed:
    """Put layers on each other, the weakest first; later ones win, token by token.

    :param name: of the named theme among them, if there is one
    """
    theme = Theme(name)
    timezone = ""
    values: dict[str, Any] = {}
    assets: dict[str, Asset] = {}
    findings: list[str] = []
    for layer in layers:
        said = read(layer.raw)
        timezone = said.values.get("timezone", timezone)
        wrong = list(said.wrong)
        new, held = dict(values), dict(assets)
        for token, value in said.values.items():
            new[token] = value
            held.pop(token, None)
            if isinstance(value, FileName):
                try:
                    held[token] = load(layer.files, value)
                except AssetError as error:
                    wrong.append(Wrong(token, str(error)))
        tried = theme
        if not wrong:
            tried = _whole(name, new, held)
            wrong = [
                Wrong(_said_by(said.values, u.mode, u.role, u.ground), str(u))
                for mode in MODES
                for u in unreadable(tried.colours[mode], mode)
            ]
        if wrong:
            findings.extend(f"{layer.place(w.path)}: {w}" for w in wrong)
            continue
        theme, values, assets = tried, new, held
    return Composed(theme, tuple(findings), timezone)


def _whole(name: str, values: Mapping[str, Any], assets: Mapping[str, Asset]) -> Theme:
    shared: dict[str, Colour] = {}
    given: dict[Mode, dict[str, Colour]] = {mode: {} for mode in MODES}
    others: dict[str, Any] = {}
    for token, value in values.items():
        kind, _, role = token.partition(".")
        if kind != "colours":
            others[token] = value
        elif "." in role:
            mode, _, role = role.partition(".")
            given["dark" if mode == "dark" else "light"][role] = value
        else:
            shared[role] = value
    return Theme(
        name, MappingProxyType(others), build(given, shared), MappingProxyType(dict(sorted(assets.items())))
    )


def _said_by(said: Mapping[str, Any], mode: Mode, role: str, ground: str) -> str:
    """Which token of a layer to blame for a pair that is too close."""
    names = [f"colours.{mode}.{role}", f"colours.{role}", f"colours.{mode}.{ground}", f"colours.{ground}"]
    return next((name for name in names if name in said), f"colours.{mode}.{role}")
