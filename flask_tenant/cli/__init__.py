"""The command line: ``flask tenant …`` for operators, and ``flask-tenant run`` for trying it on one's own application.

    frame.py     errors as one line, exit codes, --json, tables, completion of slugs
    tenants.py   create, list, show, set, rename, release
    states.py    suspend, resume, archive, maintenance
    domains.py   domain add, confirm, remove, list
    tokens.py    token create, list, revoke
    members.py   member list, invite, roles, suspend, resume, remove; operator list, add, remove
    config.py    config set, get, unset, list
    themes.py    theme show, set, check
    sso.py       sso add, show, test, remove, rotate
    rules/       rules check, test, explain, record, dry-run, activate, history, rollback, diff
    webhooks.py  webhooks deliver, list, secret
    audit.py     audit list, verify
    mail.py      mail test
    realms.py    realm add, verify, list, check, remove
    signup.py    signup list, approve, refuse, keep, run
    work.py      shell and run: the application's own commands, inside a tenant
    bulk.py      reads what ``create --from`` is given
    tryout.py    ``flask-tenant run``

Rich is imported where something is shown: an application's servers load this package too, and show nothing.
"""

from __future__ import annotations

from importlib.util import find_spec

from . import audit, config, domains, mail, members, sso, states, tenants, themes, tokens, webhooks, work
from .frame import ExitCode, TenantGroup
from .tryout import main

tenant_cli = TenantGroup(
    "tenant",
    short_help="Tenants of this application.",
    help="Tenants of this application: who they are, whether they are served, and work inside one.",
)

for command in (
    *tenants.COMMANDS,
    *states.COMMANDS,
    tenants.rename,
    tenants.release,
    domains.domain,
    tokens.token,
    members.member,
    members.operator,
    config.config,
    webhooks.webhooks,
    audit.audit,
    mail.mail,
    themes.theme,
    sso.sso,
    *work.COMMANDS,
):
    tenant_cli.add_command(command)

tenant_cli.add_later("rules", "flask_tenant.cli.rules:rules")
tenant_cli.add_later("realm", "flask_tenant.cli.realms:realm")
tenant_cli.add_later("signup", "flask_tenant.cli.signup:signup")
if find_spec("flask_tenant.doctor") is not None:
    tenant_cli.add_later("doctor", "flask_tenant.doctor.command:doctor")

__all__ = ["ExitCode", "main", "tenant_cli"]
