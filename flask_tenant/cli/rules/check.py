"""``flask tenant rules check``: every mistake of the rule files, with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from ...errors import RuleFileError
from ...model import Tenant
from ...rules.folder import Folder
from ...rules.language import Vocabulary
from ...rules.model import RuleSet
from ...rules.store import RuleFile
from ...rules.store.home import plan_of
from ..frame import as_json, json_option, progress, say, state
from .show import counted, finding, findings_of, folder_option, governance, opened, pictured, refuse


@dataclass(frozen=True)
class Checked:
    """What came of a folder.

    :param sets: of each scope that has files, and of all
    """

    sets: dict[str, RuleSet]
    errors: list[str]
    notes: list[str]


def chains(folder: Folder) -> Iterator[tuple[str, list[RuleFile], Tenant | None, str]]:
    """Yield each scope that has files: the files that hold together there, whose they are, what is wrong with that."""
    directory = state().directory
    for scope in dict.fromkeys(file.scope for file in folder.files):
        kind, _, who = scope.partition(":")
        tenant = directory.find(who) if kind == "tenant" else None
        wrong = ""
        if kind == "tenant" and tenant is None:
            name = next(file.name for file in folder.files if file.scope == scope)
            wrong = f"{name}:1:1: there is no tenant {who!r}; 'flask tenant list' shows them"
        yield scope, folder.chain(scope, plan_of(tenant) if tenant is not None else ""), tenant, wrong


def checked(folder: Folder, vocabulary: Vocabulary) -> Checked:
    """Check every scope of a folder."""
    found = Checked({}, [], [])
    each = list(chains(folder))
    with progress(len(each), "checking") as step:
        for scope, files, tenant, wrong in each:
            if wrong:
                found.errors.append(wrong)
            try:
                result = governance().check(files, tenant, vocabulary)
                found.sets[scope] = result.ruleset
                found.notes.extend(result.notes)
            except RuleFileError as error:
                found.errors.extend(findings_of(error))
            step(scope)
    return found


@click.command("check")
@folder_option
@json_option
def check(folder: Path) -> None:
    """Look for mistakes in the rule files, against the tables as they are and the facts that are registered.

    Nothing is changed. Exits with 1 when something has to be corrected.
    """
    files = opened(folder)
    found = checked(files, governance().vocabulary())
    texts = {file.name: file.text for file in files.files}
    refuse(found.errors, texts, "Nothing can be activated")
    notes = list(dict.fromkeys(found.notes))
    rules = len({(r.scope, r.id) for rules in found.sets.values() for r in rules.rules})
    data = {
        "errors": [],
        "notes": [finding(note) for note in notes],
        "files": len(files.files),
        "rules": rules,
    }
    if not as_json():
        for note in notes:
            click.echo(f"note: {pictured(note, texts)}")
    say(f"{counted(len(files.files), 'file')}, {counted(rules, 'rule')}: no errors.", data)
