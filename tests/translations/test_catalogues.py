"""Each text of our pages and mails is marked, and each catalogue has it, with the same values and the same markup."""

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

from flask_tenant.translations.catalogues import DOMAIN, OURS
from flask_tenant.translations.speaking import placeholders
from tools.translations import PACKAGE, extracted, languages, read

pytestmark = pytest.mark.once

LANGUAGES = ("de", "fr")


@pytest.fixture(scope="module")
def template() -> Catalog:
    return extracted()


def by_id(catalog: Catalog) -> dict[Any, Message]:
    return {texts(message.id)[0]: message for message in catalog if message.id}


def texts(value: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def test_which_languages_there_are() -> None:
    assert tuple(languages()) == LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_every_message_and_no_other(language: str, template: Catalog) -> None:
    wanted, found = by_id(template), by_id(read(language))
    assert len(wanted) > 200
    assert set(wanted) - set(found) == set(), "run: make translations"
    assert set(found) - set(wanted) == set(), "run: make translations"
    for message in found.values():
        assert all(texts(message.string)), message.id
        assert not message.fuzzy, message.id


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_values_and_the_markup_of_its_message(language: str) -> None:
    for message in read(language):
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


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_read_is_what_was_written(language: str) -> None:
    with (OURS / language / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        compiled = by_id(read_mo(file))
    written = by_id(read(language))
    assert {key: texts(message.string) for key, message in compiled.items()} == {
        key: texts(message.string) for key, message in written.items()
    }, "run: make translations"


# ---- what is not marked
_CLASSES = {"wide"}
"""What a block puts into an attribute of another template."""


def unmarked_in_template(source: str) -> list[str]:
    """Text that people would read, and attributes that are read out to them, outside of messages."""
    tree = Environment(extensions=["jinja2.ext.i18n"]).parse(source)
    page = "".join(data.data for data in tree.find_all(nodes.TemplateData))
    page = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    found = re.findall(r'(?:aria-label|alt|title|placeholder)="([^"]*[^\W\d_][^"]*)"', page)
    words = re.findall(r"[^\W\d_]\w+", re.sub(r"<[^>]*>", " ", page))
    found += [word for word in words if word not in _CLASSES]
    marked = {
        const
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in ("gettext", "ngettext", "_")
        for const in call.find_all(nodes.Const)
    }
    values = (
        const.value for const in tree.find_all(nodes.Const) if all(const is not each for each in marked)
    )
    return found + [v for v in values if isinstance(v, str) and re.search(r"\b[A-Z][a-z]|[a-z,] [a-z]", v)]


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.glob("**/templates/**/*.*")), ids=lambda path: "/".join(path.parts[-3:])
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


_TO_OTHERS = {"Message", "gettext", "ngettext", "debug", "info", "warning", "error", "exception"}


def unmarked_in_module(source: str) -> Iterator[str]:
    """Sentences outside of messages, documentation, logs and errors."""

    def walk(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return
        if isinstance(node, ast.Raise | ast.Assert):
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
    "path", sorted((PACKAGE / "accounts" / "pages").glob("*.py")), ids=lambda path: path.name
)
def test_each_text_of_a_page_is_marked(path: Path) -> None:
    assert [text for text in unmarked_in_module(path.read_text()) if text not in _NO_TEXT] == []


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
