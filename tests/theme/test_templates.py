"""Templates in place of the application's own: whose they are, and that nobody gets another's."""

from __future__ import annotations

import threading

import pytest
from flask import Flask, render_template, render_template_string
from jinja2 import TemplateNotFound

from flask_tenant import tenant_context
from flask_tenant.application import Application
from flask_tenant.model import Tenant
from flask_tenant.theme.templates import OverridingLoader
from tests.theme.conftest import Write, get


def test_tenant_before_plan_before_default_before_the_applications(
    app: Flask, state: Application, acme: Tenant, write: Write
) -> None:
    def asked(slug: str) -> str:
        return get(app, slug, "/login").text

    assert asked("acme") == asked("bella") == "<html>own log-in</html>"
    write("templates/default/login.html", "everybody's")
    assert asked("acme") == asked("bella") == "everybody's"
    write("templates/plans/starter/login.html", "starter's")
    state.directory.set_config(acme, "plan", "starter")
    assert (asked("acme"), asked("bella")) == ("starter's", "everybody's")
    path = write(
        "templates/tenants/acme/login.html",
        "{% extends 'original:login.html' %}{% block content %}Acme, {{ super() }}{% endblock %}",
    )
    assert (asked("acme"), asked("bella")) == ("<html>Acme, own log-in</html>", "everybody's")
    path.unlink()
    assert asked("acme") == "starter's"


def test_what_is_extended_and_included_is_overridden_too(app: Flask, write: Write) -> None:
    write("templates/tenants/acme/base.html", "<body>{% block content %}{% endblock %}</body>")
    assert get(app, "acme", "/login").text == "<body>own log-in</body>"
    assert get(app, "bella", "/login").text == "<html>own log-in</html>"
    with app.test_request_context(), tenant_context("acme"):
        assert render_template_string("{% include 'base.html' %}") == "<body></body>"


def test_emails_follow(app: Flask, write: Write) -> None:
    write("templates/tenants/bella/mail.txt", "Liebe {{ name }}, in {{ theme.colour('accent') }}")
    write("tenants/bella/theme.yaml", "colours: {accent: rose}\n")
    with app.app_context():
        with tenant_context("acme"):
            assert render_template("mail.txt", name="Ada") == "Dear Ada, this is us."
        with tenant_context("bella"):
            assert render_template("mail.txt", name="Ada") == "Liebe Ada, in #be185d"
        assert render_template("mail.txt", name="Ada") == "Dear Ada, this is us."


def test_two_tenants_alternating_in_threads_never_get_each_others(
    app: Flask, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jinja keeps compiled templates by name and loader, which are equal for both."""
    for slug in ("acme", "bella"):
        write(
            f"templates/tenants/{slug}/login.html",
            f"{{% extends 'base.html' %}}{{% block content %}}{slug}{{% endblock %}}",
        )
    write("templates/tenants/bella/base.html", "[{% block content %}{% endblock %}]")
    expected = {"acme": "<html>acme</html>", "bella": "[bella]"}
    seen: list[tuple[str, str]] = []
    gate = threading.Barrier(4)

    def ask(order: list[str]) -> None:
        gate.wait(10)
        for slug in order * 40:
            seen.append((slug, get(app, slug, "/login").text))

    threads = [threading.Thread(target=ask, args=(o,)) for o in (["acme", "bella"], ["bella", "acme"]) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(seen) == 320
    assert {(slug, text) for slug, text in seen} == set(expected.items())


def test_jinjas_own_cache_would_mix_them_up(fresh_app: Flask, write: Write) -> None:
    """What the test above would not notice if Jinja did it by itself."""
    app = fresh_app
    for slug in ("acme", "bella"):
        write(f"templates/tenants/{slug}/login.html", slug)
    assert get(app, "acme", "/login").text == "acme"
    app.jinja_env.cache = {}
    assert get(app, "acme", "/login").text == "acme"
    assert get(app, "bella", "/login").text == "acme"


def test_compiled_templates_are_kept(app: Flask, write: Write) -> None:
    write("templates/tenants/acme/login.html", "acme's")
    get(app, "acme", "/login")
    with app.app_context(), tenant_context("acme"):
        first = app.jinja_env.get_template("login.html")
        assert app.jinja_env.get_template("login.html") is first
        assert app.jinja_env.get_template("login.html", globals={"x": 5}).globals["x"] == 5
    with app.app_context(), tenant_context("bella"):
        assert app.jinja_env.get_template("login.html") is not first


@pytest.mark.parametrize(
    "name",
    ["../bella/secret.html", "../../tenants/bella/secret.html", "tenants/bella/secret.html", "..\\bella\\secret.html",
     "/../bella/secret.html", "original:../themes/templates/tenants/bella/secret.html", "a/../../bella/secret.html",
     "original:tenants/bella/secret.html", "secret.html\0"],
)  # fmt: skip
def test_no_name_leads_to_another_tenants_template(app: Flask, write: Write, name: str) -> None:
    write("templates/tenants/bella/secret.html", "bella's secret")
    get(app, "acme", "/login")  # the application is complete
    with app.app_context(), tenant_context("bella"):
        assert render_template("secret.html") == "bella's secret"
    with app.app_context(), tenant_context("acme"), pytest.raises(TemplateNotFound):
        render_template(name)


def test_no_link_leads_out(app: Flask, write: Write, themes) -> None:
    write("templates/tenants/bella/secret.html", "bella's secret")
    (themes / "templates" / "tenants" / "acme").mkdir()
    (themes / "templates" / "tenants" / "acme" / "login.html").symlink_to(
        themes / "templates" / "tenants" / "bella" / "secret.html"
    )
    with app.app_context(), tenant_context("acme"), pytest.raises(TemplateNotFound):
        render_template("login.html")


def test_text_of_a_theme_is_escaped(app: Flask, write: Write) -> None:
    write("tenants/acme/theme.yaml", "login: {heading: '</style><script>alert(1)</script>'}\n")
    write("templates/default/login.html", "{{ theme.login.heading }}")
    assert get(app, "acme", "/login").text == "&lt;/style&gt;&lt;script&gt;alert(1)&lt;/script&gt;"


def test_an_application_that_keeps_no_templates_keeps_none(fresh_app: Flask, write: Write) -> None:
    app = fresh_app
    app.jinja_options = {"cache_size": 0}
    get(app, "acme", "/login")
    loader = app.jinja_env.loader
    assert isinstance(loader, OverridingLoader)
    assert loader._cache is None
    assert "login.html" in loader.list_templates()
