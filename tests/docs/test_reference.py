"""The reference names everything that there is, and nothing that there is not."""

from __future__ import annotations

import inspect
import re
from ast import literal_eval
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, get_type_hints

import click
import pytest
from blinker import NamedSignal
from markdown_it import MarkdownIt

import flask_tenant
from flask_tenant import errors, protocols, signals
from flask_tenant.cli import ExitCode, main, tenant_cli
from flask_tenant.settings import Settings
from tests.docs.pages import PAGES, ROOT, name_of

REFERENCE = ROOT / "docs" / "reference"


def _rows(page: str) -> list[list[str]]:
    """The rows of a page's first table, without its head."""
    found = []
    for line in (REFERENCE / page).read_text().splitlines():
        if line.startswith("|"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
        elif found:
            break
    return found[2:]


def _methods(of: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(of, inspect.isfunction) if not name.startswith("_")}


def test_settings_and_their_defaults() -> None:
    shown = {row[0].strip("`"): row[1].strip("`") for row in _rows("settings.md")}
    fields = Settings.__dataclass_fields__
    assert shown.keys() == {f"TENANT_{name.upper()}" for name in fields}
    for name, field in fields.items():
        default = list(field.default) if isinstance(field.default, frozenset) else field.default
        assert literal_eval(shown[f"TENANT_{name.upper()}"]) == default


def test_what_the_extension_has() -> None:
    text = (REFERENCE / "api.md").read_text()
    kept = {"routes", "seeds", "provider_kinds"}  # for us: central(), seed() and provider_kind() fill them
    there = {
        name for name in (*dir(flask_tenant.Tenancy), *vars(flask_tenant.Tenancy())) if name[0] != "_"
    } - kept
    assert len(there) > 10
    assert [name for name in sorted(there) if f"`Tenancy.{name}" not in text] == []


def _errors(base: type[errors.TenancyError]) -> Iterator[type[errors.TenancyError]]:
    yield base
    for derived in base.__subclasses__():
        if derived.__module__ == errors.__name__:
            yield from _errors(derived)


def test_errors_and_their_codes() -> None:
    shown = [(row[0].strip("`"), row[1].strip("`")) for row in _rows("errors.md")]
    there = [(error.__name__, error.code) for error in _errors(errors.TenancyError)]
    assert sorted(shown) == sorted(there)
    codes = [code for _, code in there]
    assert len(codes) == len(set(codes))


def test_signals() -> None:
    there = {name for name, value in vars(signals).items() if isinstance(value, NamedSignal)}
    assert {row[0].strip("`") for row in _rows("signals.md")} == there
    assert {name.replace("_", "-") for name in there} == set(signals._signals)


def test_protocols_and_their_methods() -> None:
    there = {
        name: _methods(value)
        for name, value in vars(protocols).items()
        if inspect.isclass(value) and Protocol in value.__bases__
    }
    shown = {row[0].strip("`"): set(re.findall(r"`(\w+)\(", row[1])) for row in _rows("protocols.md")}
    assert shown == there


def test_public_names() -> None:
    text = (REFERENCE / "api.md").read_text()
    headings = set(re.findall(r"^## `(\w+)", text, re.MULTILINE))
    assert headings == set(flask_tenant.__all__)
    for name in ("Tenancy", "tenant_context", "for_each_tenant", "central_context", "tenant_column"):
        signature = inspect.signature(getattr(flask_tenant, name))
        shown = re.search(rf"^## `{name}\((.*)\)`", text, re.MULTILINE)
        assert shown is not None
        bare = signature.replace(
            parameters=[p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()],
            return_annotation=inspect.Signature.empty,
        )
        assert str(bare) == f"({shown.group(1)})".replace('"', "'")
    assert set(re.findall(r"^`Tenancy\.(\w+)\(", text, re.MULTILINE)) == _methods(flask_tenant.Tenancy)
    for field in get_type_hints(flask_tenant.Tenant):
        assert f"`{field}`" in text


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        ctx = click.Context(command)
        for part in command.list_commands(ctx):
            inner = command.get_command(ctx, part)
            assert inner is not None
            yield from _commands(inner, f"{name} {part}")
    else:
        yield name, command


def test_commands_and_their_options() -> None:
    text = (REFERENCE / "cli.md").read_text()
    groups: list[tuple[Any, str]] = [(tenant_cli, "flask tenant"), (main, "flask-tenant")]
    there = [found for group, name in groups for found in _commands(group, name)]
    assert re.findall(r"^## `(.*)`", text, re.MULTILINE) == [name for name, _ in there]
    sections = re.split(r"^## `", text, flags=re.MULTILINE)[1:]
    for section, (name, command) in zip(sections, there, strict=True):
        plain = " ".join(section.split())
        usage = command.collect_usage_pieces(click.Context(command))
        arguments = "".join(f" {piece}" for piece in usage if piece != "[OPTIONS]")
        assert name.startswith("flask-tenant") or f"` `{name}{arguments}`: " in plain, f"{name}{arguments}"
        for option in (p for p in command.params if isinstance(p, click.Option)):
            assert f"| `{option.opts[0]}" in plain, f"{name} {option.opts[0]}"
            assert option.help is None or option.help in plain, f"{name} {option.opts[0]}"
        for sentence in (command.help or "").split("\n\n"):
            assert " ".join(sentence.split()) in plain, name
        known = {part for p in command.params for part in (*p.opts, *p.secondary_opts)}
        shown = set(re.findall(r"^\| `(--[\w-]+)", section, re.MULTILINE))
        assert shown <= known, f"{name} has no {shown - known}"


def test_exit_codes() -> None:
    assert [int(row[0]) for row in _rows("cli.md")] == [code.value for code in ExitCode]


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for token in MarkdownIt().enable("table").parse(page.read_text()):
        for part in token.children or ():
            target = str(part.attrs.get("href", "")) if part.type == "link_open" else ""
            if not target or target.startswith(("http://", "https://")):
                continue
            name, _, anchor = target.partition("#")
            found = (page.parent / name).resolve() if name else page
            assert found.is_file(), f"{name_of(page)} links to {target}, which is not there"
            if anchor:
                headings = re.findall(r"^#+ (.*)", found.read_text(), re.MULTILINE)
                assert anchor in map(_anchor, headings), f"{name_of(page)} links to {target}"
