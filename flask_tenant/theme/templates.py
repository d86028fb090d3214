"""Templates that operators put in place of the application's own: for one tenant, for a plan, for everybody.

    themes/templates/tenants/acme/login.html
    themes/templates/plans/starter/login.html
    themes/templates/default/login.html

The first one that is there takes the place of the application's ``login.html``, whoever asks for it: a view,
``{% extends %}``, ``{% include %}``, ``{% import %}``, an e-mail. ``original:login.html`` is the application's own.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import BaseLoader, Environment, FileSystemLoader, Template, TemplateNotFound
from jinja2.utils import LRUCache

from ..model import Tenant
from .store import NAME, plan_of

if TYPE_CHECKING:
    from collections.abc import Iterable

ORIGINAL = "original:"


class OverridingLoader(BaseLoader):
    """Finds the template that holds for the tenant.

    Jinja's own cache knows a template by the name that was asked for, which is another file for another tenant. It is
    switched off, and this loader keeps templates by the file that was found.

    :param original: the application's own loader
    :param folder: where the overrides are; it need not be there
    :param tenant: whose turn it is
    :param size: how many templates are kept
    """

    def __init__(
        self, original: BaseLoader, folder: Path, tenant: Callable[[], Tenant | None], size: int
    ) -> None:
        self.original = original
        self._folder = folder
        self._files = FileSystemLoader(folder)
        self._tenant = tenant
        # Jinja's own kind, which locks itself; a cache of size 0 keeps nothing.
        self._cache: Any = LRUCache(size) if size > 0 else None

    def load(
        self,
        environment: Environment,
        name: str,
        globals: MutableMapping[str, Any] | None = None,  # noqa: A002
    ) -> Template:
        """Return the template, compiled."""
        loader, found = self._find(name)
        key = (id(loader), found)
        template = self._cache.get(key) if self._cache is not None else None
        if template is None or (environment.auto_reload and not template.is_up_to_date):
            template = loader.load(environment, found, globals)
            if self._cache is not None:
                self._cache[key] = template
        elif isinstance(globals, ChainMap) and globals.maps[0]:
            template.globals.update(globals.maps[0])  # the caller's own; the environment's are there already
        return template

    def get_source(self, environment: Environment, template: str) -> Any:
        """Return a template's text, its file, and what tells whether it has changed."""
        loader, found = self._find(template)
        return loader.get_source(environment, found)

    def list_templates(self) -> list[str]:
        """The names that can be asked for: the application's."""
        return self.original.list_templates()

    def _find(self, name: str) -> tuple[BaseLoader, str]:
        """Which loader has a template for the tenant, and what it is called there."""
        if name.startswith(ORIGINAL):
            return self.original, name[len(ORIGINAL) :]
        parts = name.split("/")
        if "\\" in name or "\0" in name or ".." in parts:
            raise TemplateNotFound(name)
        for place in self._places():
            path = self._folder / place / name
            if path.is_file():
                if not path.resolve().is_relative_to((self._folder / place).resolve()):
                    raise TemplateNotFound(name, f"{name} leads out of {place}")
                return self._files, f"{place}/{name}"
        return self.original, name

    def _places(self) -> Iterable[str]:
        """Folders in which the tenant's templates are looked for, the strongest first."""
        tenant = self._tenant()
        if tenant is not None:
            if NAME.match(tenant.slug):
                yield f"tenants/{tenant.slug}"
            plan = plan_of(tenant)
            if plan:
                yield f"plans/{plan}"
        yield "default"

    def overrides(self) -> Iterator[str]:
        """Every override that there is, by its path."""
        if self._folder.is_dir():
            yield from sorted(
                p.relative_to(self._folder).as_posix() for p in self._folder.rglob("*") if p.is_file()
            )


def install(environment: Environment, folder: Path, tenant: Callable[[], Tenant | None]) -> OverridingLoader:
    """Let an environment find overrides. Once for each.

    :raises TypeError: for an environment without a loader
    """
    if isinstance(environment.loader, OverridingLoader):
        return environment.loader
    if environment.loader is None:
        raise TypeError("An environment without a loader finds no templates, and none to put in their place")
    size = getattr(environment.cache, "capacity", 400 if environment.cache is not None else 0)
    loader = OverridingLoader(environment.loader, folder, tenant, size)
    environment.cache = None
    environment.loader = loader
    return loader
