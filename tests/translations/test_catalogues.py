"""Each text of our pages and mails, and of demo_app's pages, is marked, and each catalogue has it, with the same values
and the same markup.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from babel.messages import Catalog, Message
from babel.messages.mofile import read_mo
from jinja2 import Environment, nodes

from flask_tenant.translations.speaking import placeholders
from tools.translations import DEMO, PRODUCT, Texts, extracted, languages, read

pytestmark = pytest.mark.once

LANGUAGES = {PRODUCT: ("de", "fr"), DEMO: ("de",)}
each_catalogue = pytest.mark.parametrize(
    ("of", "language"),
    [(of, language) for of, languages in LANGUAGES.items() for language in languages],
    ids=lambda value: value.package.name if isinstance(value, Texts) else value,
)


@pytest.fixture(scope="module")
def templates() -> dict[Texts, Catalog]:
    return {of: extracted(of) for of in LANGUAGES}


def by_id(catalog: Catalog) -> dict[Any, Message]:
    return {texts(message.id)[0]: message for message in catalog if message.id}


def texts(value: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def test_which_languages_there_are() -> None:
    assert {of: tuple(languages(of)) for of in LANGUAGES} == LANGUAGES


@each_catalogue
def test_a_catalogue_has_every_message_and_no_other(
    of: Texts, language: str, templates: dict[Texts, Catalog]
) -> None:
    wanted, found = by_id(templates[of]), by_id(read(language, of))
    assert len(wanted) > 200
    assert set(wanted) - set(found) == set(), "run: make translations"
    assert set(found) - set(wanted) == set(), "run: make translations"
    for message in found.values():
        assert all(texts(message.string)), message.id
        assert not message.fuzzy, message.id


@each_catalogue
def test_a_translation_has_the_values_and_the_markup_of_its_message(of: Texts, language: str) -> None:
    for message in read(language, of):
        if not message.id:
            continue
        original = texts(message.id)[-1]
        for text in texts(message.string):
            wanted = sorted(re.findall(r"%\(\w+\)[a-z]", original))
            assert sorted(re.findall(r"%\(\w+\)[a-z]", text)) == wanted, text
            assert placeholders(text) is not None, text
            assert sorted(re.findall(r"<[^>]*>", text)) == sorted(re.findall(r"<[^>]*>", original)), text
            outside = re.sub(r"<[^>]*>", "", text)
            assert not set("<>&") & set(outside), text
            assert ('"' in outside) <= ('"' in re.sub(r"<[^>]*>", "", original)), (
                text
            )  # it may be an attribute


@each_catalogue
def test_what_is_read_is_what_was_written(of: Texts, language: str) -> None:
    with (of.folder / language / "LC_MESSAGES" / f"{of.domain}.mo").open("rb") as file:
        compiled = by_id(read_mo(file))
    written = by_id(read(language, of))
    assert {key: texts(message.string) for key, message in compiled.items()} == {
        key: texts(message.string) for key, message in written.items()
    }, "run: make translations"


# ---- what is not marked
_NO_WORDS = {"wide", "centred", "IBAN", "BooleanField", "SelectField", "FileField", "autofocus"}
"""What a block puts into an attribute of another template, and what is the same in all languages."""


def unmarked_in_template(source: str) -> list[str]:
    """Text that people would read, and attributes that are read out to them, outside of messages."""
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(source)
    page = "".join(data.data for data in tree.find_all(nodes.TemplateData))
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    found = re.findall(r'(?:aria-label|alt|title|placeholder)="([^"]*[^\W\d_][^"]*)"', page)
    words = re.findall(r"[^\W\d_]\w+", re.sub(r"<[^>]*>", " ", page))
    found += [word for word in words if word not in _NO_WORDS]
    marked = {
        const
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("gettext", "ngettext", "_")
        for const in call.find_all(nodes.Const)
    }
    values = (
        const.value for const in tree.find_all(nodes.Const) if all(const is not each for each in marked)
    )
    values = (value for value in values if isinstance(value, str) and not value.startswith("<"))  # a drawing
    return found + [
        value for value in values if value not in _NO_WORDS and re.search(r"\b[A-Z][a-z]|[a-z,] [a-z]", value)
    ]


@pytest.mark.parametrize(
    "path",
    sorted(path for of in LANGUAGES for path in of.package.glob("**/templates/**/*.*")),
    ids=lambda path: "/".join(path.parts[-3:]),
)
def test_each_text_of_a_template_is_marked(path: Path) -> None:
    assert unmarked_in_template(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Hello</p>",
        "{% trans %}a{% endtrans %} and more",
        '<ul aria-label="Roles">',
        '{{ field("name", "Your name") }}',
        '{% for page, label in [("remove", "Remove")] %}{{ label }}{% endfor %}',
    ],
)
def test_what_is_not_marked_in_a_template_is_found(source: str) -> None:
    assert unmarked_in_template(source)


_TO_OTHERS = {
    "Message",
    "gettext",
    "ngettext",
    "lazy_gettext",
    "_",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
}


def unmarked_in_module(source: str, errors_too: bool = False) -> Iterator[str]:
    """Sentences outside of messages, documentation, logs and errors (unless people are told those)."""

    def walk(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Raise) and not errors_too):
            return
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in _TO_OTHERS:
                return
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if re.search(r"[A-Z“][\w’]* \w|\w\. [A-Z]|[a-z]{2} [a-z]+ [a-z]|^ [A-Za-z]", text):
            yield text
        for child in ast.iter_child_nodes(node):
            yield from walk(child)

    return walk(ast.parse(source))


@pytest.mark.parametrize(
    "path",
    [
        *sorted((PRODUCT.package / "accounts" / "pages").glob("*.py")),
        *sorted((DEMO.package / "views").glob("*.py")),
        *(DEMO.package / name for name in ("csv_files.py", "errors.py", "forms.py", "services.py")),
    ],
    ids=lambda path: "/".join(path.parts[-2:]),
)
def test_each_text_of_a_page_is_marked(path: Path) -> None:
    found = unmarked_in_module(path.read_text(), errors_too=DEMO.package in path.parents)
    assert [text for text in found if text not in _NO_TEXT] == []


_NO_TEXT = {"Mac OS X"}


@pytest.mark.parametrize(
    "source",
    [
        'visit.go(path, "The roles are saved.")',
        'text = f"{email} is invited by us."',
        '{"email": "This is no e-mail address."}',
    ],
)
def test_what_is_not_marked_in_a_module_is_found(source: str) -> None:
    assert list(unmarked_in_module(source))


def test_what_is_not_marked_in_an_error_is_found_where_people_are_told_it() -> None:
    source = 'raise InvoicingError(f"{name} has invoices, and cannot be deleted.")'
    assert list(unmarked_in_module(source, errors_too=True))
