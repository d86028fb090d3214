"""`make translations`: what our pages and mails say, and those of demo_app, from the source into the catalogues (.po),
and those into what is read (.mo). Another language of ours begins with its folder: ``python -m tools.translations es``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from flask_tenant.translations.catalogues import DOMAIN, OURS


@dataclass(frozen=True)
class Texts:
    """What a package says.

    :param folder: of its catalogues, one folder a language
    :param domain: what the catalogues are called
    :param about: the comment at their beginning
    """

    package: Path
    folder: Path
    domain: str
    about: str


PRODUCT = Texts(OURS.parent, OURS, DOMAIN, "# What the pages and mails of flask_tenant say.")
# Beside this folder: the package may be an installed one.
_DEMO = Path(__file__).resolve().parents[1] / "demo_app"
DEMO = Texts(_DEMO, _DEMO / "translations", "messages", "# What Fieldbook says.")

_KEYWORDS = {**DEFAULT_KEYWORDS, "Message": None, "lazy_gettext": None}
_SAYS = re.compile(r"\b(?:Message|n?gettext|lazy_gettext|_)\(")
_OPTIONS = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}


def extracted(texts: Texts = PRODUCT) -> Catalog:
    """Return every message of a package."""
    catalog = Catalog(project=texts.package.name, charset="utf-8")
    for path in sorted(texts.package.rglob("*.*")):
        if path.suffix == ".py" and not _SAYS.search(path.read_text()):
            continue  # most modules say nothing to anybody, and parsing them takes its time
        if path.suffix != ".py" and (path.suffix not in (".html", ".txt") or "templates" not in path.parts):
            continue
        method = "python" if path.suffix == ".py" else "jinja2"
        options = {} if method == "python" else _OPTIONS
        for _, message, _, context in extract_from_file(method, path, _KEYWORDS, options=options):
            where = path.relative_to(texts.package.parent).as_posix()
            catalog.add(message, locations=[(where, 0)], context=context)
    return catalog


def read(language: str, texts: Texts = PRODUCT) -> Catalog:
    """Return a language's catalogue as people have written it, empty where there is none yet."""
    path = _path(language, texts)
    if not path.is_file():
        names = {
            "last_translator": "flask_tenant authors",
            "language_team": language,
            "msgid_bugs_address": "-",
        }
        return Catalog(
            language,
            header_comment=texts.about,
            project=texts.package.name,
            version="1",
            fuzzy=False,
            **names,
        )
    with path.open("rb") as file:
        return read_po(file, locale=language)


def languages(texts: Texts = PRODUCT) -> list[str]:
    """Return the languages that there are."""
    return sorted(path.parents[1].name for path in texts.folder.glob(f"*/LC_MESSAGES/{texts.domain}.po"))


def update(language: str, texts: Texts = PRODUCT) -> int:
    """Bring a language's files up to date, and return how many messages want a translation."""
    catalog, path = read(language, texts), _path(language, texts)
    catalog.update(extracted(texts), no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        write_po(file, catalog, width=110, include_lineno=False, ignore_obsolete=True)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalog)
    return sum(not all(_forms(message.string)) for message in catalog if message.id)


def _forms(string: str | Sequence[str] | None) -> tuple[str, ...]:
    return (string or "",) if string is None or isinstance(string, str) else tuple(string)


def _path(language: str, texts: Texts) -> Path:
    return texts.folder / language / "LC_MESSAGES" / f"{texts.domain}.po"


def main() -> None:
    """Update our languages that are named, or all, and those of demo_app."""
    for texts, named in ((PRODUCT, sys.argv[1:]), (DEMO, [])):
        for language in named or languages(texts):
            print(f"{texts.package.name}, {language}: {update(language, texts)} messages want a translation")


if __name__ == "__main__":
    main()
