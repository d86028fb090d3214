"""The rules of one application: puts the store, the language and the application's own vocabulary together."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .model import Tenant
from .rules.language import Checked, Source, Vocabulary, check, dump, restore
from .rules.model import RuleSet
from .rules.store import Activations, RuleBook, RuleFile
from .vocabulary import keys_of, tables_of

if TYPE_CHECKING:
    from .extension import Application


class Governance:
    """What rules there are, for one application.

    :param application: Tenancy's state of it
    """

    def __init__(self, application: Application) -> None:
        self._application = weakref.ref(application)

    @property
    def application(self) -> Application:
        """Tenancy's state of the application."""
        found = self._application()
        assert found is not None
        return found

    @cached_property
    def book(self) -> RuleBook:
        """The compiled rules of each tenant."""
        return RuleBook(self.application.directory, self.compile, restore)

    @cached_property
    def activations(self) -> Activations:
        """What switches rules."""
        from .proof import prove

        application = self.application
        return Activations(
            application.directory,
            self.compile,
            dump,
            application.directory.all,
            prove=lambda: prove(self.application),
        )

    def vocabulary(self) -> Vocabulary:
        """Return what rule files may name: the tables as they stand in the databases now, and what was registered."""
        tables: dict[str, Mapping[str, Any]] = {}
        keys: dict[str, frozenset[str]] = {}
        for isolation in dict.fromkeys(self.application.isolations.values()):
            tables.update(tables_of(isolation))
            keys.update(keys_of(isolation))
        return Vocabulary(tables=tables, keys=keys, **registered(self.application))

    def check(
        self, files: Sequence[RuleFile], tenant: Tenant | None, vocabulary: Vocabulary | None = None
    ) -> Checked:
        """Check the files of a chain together.

        :raises RuleFileError: with everything that is wrong
        """
        # A tenant that was renamed still obeys what says its former slug: the store knows tenants by their ids.
        named = next((f.scope.removeprefix("tenant:") for f in files if f.scope.startswith("tenant:")), "")
        sources = [Source(file.name, file.text, file.scope) for file in files]
        checked = check(sources, vocabulary or self.vocabulary(), named)
        slug = tenant.slug if tenant is not None else named
        return replace(checked, ruleset=replace(checked.ruleset, tenant=slug))

    def compile(self, files: Sequence[RuleFile], tenant: Tenant | None) -> RuleSet:
        """Check the files of a chain, and make a rule set of them."""
        return self.check(files, tenant).ruleset


def registered(application: Application) -> dict[str, Any]:
    """Return what the application has registered for rules, by the names that the vocabulary has for it."""
    tenancy: Any = application.tenancy
    found: dict[str, Any] = {"facts": dict(tenancy.facts.kinds)}
    for name in ("hooks", "engines", "themes", "webhooks", "events"):
        if hasattr(tenancy, name):
            found[name] = getattr(tenancy, name)
    return found
