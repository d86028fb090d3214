"""The themes of one application: where they come from, and which holds for a tenant.

    themes/
      default.yaml               for everybody
      plans/starter.yaml         for all tenants on a plan
      tenants/acme/theme.yaml    for one tenant; its logo and fonts lie beside it
      winter.yaml                a theme by name, for rules and configurations
      files/                     logos and fonts of all the others
      templates/…                see templates.py

What ``flask tenant theme set`` wrote (``tenant.config["theme"]``) comes after the tenant's own file, and a theme that a
rule has chosen comes last. Where a layer has a mistake it is left out, the log says so, and the page is shown.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cachetools import LRUCache

from ..errors import RuleFileError
from ..model import Tenant
from .assets import stamp
from .composing import Composed, Layer, Theme, compose
from .yaml_files import load

log = logging.getLogger("flask_tenant.theme")

NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z", re.ASCII)
"""What slugs, plans and named themes look like: nothing else becomes part of a path."""

CONFIG, PLAN = "theme", "plan"
"""Keys of a tenant's configuration."""

LOOK_AGAIN = 1.0
"""Seconds after which files are looked at again."""

KEPT = 256
"""Themes that are kept ready."""


class _File(NamedTuple):
    stamp: tuple[int, int]
    raw: Any
    places: Mapping[str, tuple[int, int]]
    problem: str = ""


class _Kept(NamedTuple):
    composed: Composed
    config: Any
    plan: str
    files: tuple[tuple[Path, tuple[int, int]], ...]
    until: float


class Store:
    """Finds, reads and keeps themes.

    :param folder: where the files are; it need not be there
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._files: dict[Path, _File] = {}
        self._kept: LRUCache[tuple[int, str], _Kept] = LRUCache(KEPT)
        self._lock = threading.Lock()
        self._told: set[tuple[str, ...]] = set()

    # ---- which theme holds
    def theme(self, tenant: Tenant | None, name: str = "") -> Theme:
        """Return the theme of a tenant, or what holds for nobody in particular.

        :param name: a named theme to put on top; one that there is not is left out
        """
        return self._composed(tenant, name).theme

    def timezone(self, tenant: Tenant) -> str:
        """Return a tenant's own time zone, whatever theme a rule has chosen; ``""`` where nobody has said one."""
        return self._composed(tenant, "").timezone

    def check(self, tenant: Tenant | None, name: str = "") -> tuple[str, ...]:
        """Return what is wrong with a tenant's theme, as it is now in files and configuration."""
        return self._compose(tenant, name)[0].findings

    def tried(self, tenant: Tenant, config: Any, name: str = "") -> tuple[str, ...]:
        """Return what would be wrong if a tenant's configuration said ``config`` of its theme."""
        findings: list[str] = []
        layers = list(self._layers(tenant, name, config, [], findings))
        return (*findings, *compose(name, layers).findings)

    def names(self) -> list[str]:
        """The named themes that there are."""
        if not self.folder.is_dir():
            return []
        return sorted(
            p.stem for p in self.folder.glob("*.yaml") if NAME.match(p.stem) and p.stem != "default"
        )

    def own_folder(self, tenant: Tenant) -> Path | None:
        """Folder of a tenant's own files, ``None`` for a slug that cannot be part of a path."""
        return self.folder / "tenants" / tenant.slug if NAME.match(tenant.slug) else None

    def _composed(self, tenant: Tenant | None, name: str) -> Composed:
        key = (tenant.id if tenant is not None else 0, name)
        config = tenant.config.get(CONFIG) if tenant is not None else None
        plan = plan_of(tenant)
        now = time.monotonic()
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept.config == config and kept.plan == plan:
            if now < kept.until:
                return kept.composed
            if all(stamp(path) == at for path, at in kept.files):
                self._keep(key, kept._replace(until=now + LOOK_AGAIN))
                return kept.composed
        composed, files = self._compose(tenant, name)
        self._tell(composed.findings)
        self._keep(key, _Kept(composed, config, plan, files, now + LOOK_AGAIN))
        return composed

    def _keep(self, key: tuple[int, str], kept: _Kept) -> None:
        with self._lock:
            self._kept[key] = kept

    def _tell(self, findings: tuple[str, ...]) -> None:
        if findings and findings not in self._told:
            if len(self._told) >= KEPT:
                self._told.clear()
            self._told.add(findings)
            log.error("A part of a theme is left out: %s", "; ".join(findings))

    # ---- layers
    def _compose(
        self, tenant: Tenant | None, name: str
    ) -> tuple[Composed, tuple[tuple[Path, tuple[int, int]], ...]]:
        seen: list[Path] = []
        findings: list[str] = []
        config = tenant.config.get(CONFIG) if tenant is not None else None
        layers = list(self._layers(tenant, name, config, seen, findings))
        before = [(path, stamp(path)) for path in seen]
        composed = compose(name, layers)
        used = [(asset.path, asset.stamp) for asset in composed.theme.assets.values()]
        return (
            replace(composed, findings=(*findings, *composed.findings)),
            tuple(before + used),
        )

    def _layers(
        self, tenant: Tenant | None, name: str, config: Any, seen: list[Path], findings: list[str]
    ) -> Iterator[Layer]:
        def file(path: Path, files: Path) -> Iterator[Layer]:
            seen.append(path)
            found = self._read(path)
            if found is not None and found.problem:
                findings.append(found.problem)
            if found is not None and found.raw is not None:
                yield Layer(self._name(path), found.raw, files, found.places)

        shared = self.folder / "files"
        yield from file(self.folder / "default.yaml", shared)
        if tenant is not None:
            plan = plan_of(tenant)
            if plan:
                yield from file(self.folder / "plans" / f"{plan}.yaml", shared)
            own = self.own_folder(tenant)
            if own is not None:
                yield from file(own / "theme.yaml", own)
                if isinstance(config, str):
                    yield from self._named(config, f"the configuration of {tenant.slug}", file, findings)
                elif config is not None:
                    yield Layer(f"the configuration of {tenant.slug}", config, own)
        if name:
            yield from self._named(name, "a rule", file, findings)

    def _named(self, name: str, who: str, file: Any, findings: list[str]) -> Iterator[Layer]:
        path = self.folder / f"{name}.yaml"
        if not NAME.match(name) or name == "default" or not path.is_file():
            known = ", ".join(self.names()) or "none"
            findings.append(f"{who}: there is no theme {name[:80]!r}; there are: {known}")
            return
        yield from file(path, self.folder / "files")

    def _read(self, path: Path) -> _File | None:
        """What a file says now. A broken file never replaces what it said before."""
        at = stamp(path)
        if at == (0, 0):
            self._files.pop(path, None)
            return None
        known = self._files.get(path)
        if known is not None and known.stamp == at:
            return known
        try:
            raw, places = load(path, self._name(path))
        except RuleFileError as error:
            old = known or _File(at, None, {})
            found = _File(at, old.raw, old.places, error.message)
        else:
            found = _File(at, raw, places)
        self._files[path] = found
        return found

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder.parent).as_posix()


def plan_of(tenant: Tenant | None) -> str:
    """The plan that a tenant is on, as its configuration says; ``""`` for none."""
    plan = tenant.config.get(PLAN) if tenant is not None else None
    return plan if isinstance(plan, str) and NAME.match(plan) else ""
