"""`make translations`: what our pages and mails say, from the source into the catalogues (.po), and those into what is
read (.mo). A new language begins with its folder: ``python -m tools.translations es``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from flask_tenant.translations.catalogues import DOMAIN, OURS

PACKAGE = OURS.parent

_KEYWORDS = {**DEFAULT_KEYWORDS, "Message": None}
_OPTIONS = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}


def extracted() -> Catalog:
    """Return every message of the package."""
    catalog = Catalog(project="flask_tenant", charset="utf-8")
    for path in sorted(PACKAGE.rglob("*.*")):
        if path.suffix == ".py" and not re.search(r"\b(?:Message|n?gettext)\(", path.read_text()):
            continue  # most modules say nothing to anybody, and parsing them takes its time
        if path.suffix != ".py" and (path.suffix not in (".html", ".txt") or "templates" not in path.parts):
            continue
        method = "python" if path.suffix == ".py" else "jinja2"
        options = {} if method == "python" else _OPTIONS
        for _, message, _, context in extract_from_file(method, path, _KEYWORDS, options=options):
            where = f"{PACKAGE.name}/{path.relative_to(PACKAGE).as_posix()}"
            catalog.add(message, locations=[(where, 0)], context=context)
    return catalog


def read(language: str) -> Catalog:
    """Return a language's catalogue as people have written it, empty where there is none yet."""
    path = _path(language)
    if not path.is_file():
        about = "# What the pages and mails of flask_tenant say."
        names = {
            "last_translator": "flask_tenant authors",
            "language_team": language,
            "msgid_bugs_address": "-",
        }
        return Catalog(
            language, header_comment=about, project="flask_tenant", version="1", fuzzy=False, **names
        )
    with path.open("rb") as file:
        return read_po(file, locale=language)


def languages() -> list[str]:
    """Return the languages that there are."""
    return sorted(path.parents[1].name for path in OURS.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))


def update(language: str) -> int:
    """Bring a language's files up to date, and return how many messages want a translation."""
    catalog, path = read(language), _path(language)
    catalog.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=110, include_lineno=False, ignore_obsolete=True)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalog)
    return sum(not all(_forms(message.string)) for message in catalog if message.id)


def _forms(string: str | Sequence[str] | None) -> tuple[str, ...]:
    return (string or "",) if string is None or isinstance(string, str) else tuple(string)


def _path(language: str) -> Path:
    return OURS / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def main() -> None:
    """Update the languages that are named, or all."""
    for language in sys.argv[1:] or languages():
        print(f"{language}: {update(language)} messages want a translation")


if __name__ == "__main__":
    main()
