"""Signing up for a tenant, at the central host. What happens is decided in ``onboarding``."""

from __future__ import annotations

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from ...errors import ConfigurationError, SignUpError, TooManyAttemptsError
from ...onboarding import SignUp, SignUps, State
from ...translations import Message
from .passwords import RULE
from .routes import At, For, Pages
from .visit import TOO_MANY, Visit, bad, told

pages = Pages()

FIELDS = ("tenant_name", "slug", "person_name", "email")

_STATES = {
    State.VERIFIED: (
        Message("Thank you"),
        Message(
            "Your address is confirmed. Somebody looks at your request now; a mail tells you when your workspace is "
            "ready."
        ),
    ),
    State.REFUSED: (
        Message("Not this time"),
        Message("Your request was refused. A mail has told you why."),
    ),
    State.SUSPENDED: (
        Message("Your trial is over"),
        Message("Your workspace is suspended. Ask us to go on."),
    ),
}

_UNDER_WAY = (
    Message("Nearly there"),
    Message("Your workspace is being made. A mail tells you when it is ready."),
)


@pages.get("/sign-up", For.ANYBODY, At.CENTRAL)
def sign_up(visit: Visit) -> Response:
    """Ask what the tenant is to be called, and who asks."""
    _signups(visit)
    return _page(visit)


@pages.post("/sign-up", For.ANYBODY, At.CENTRAL)
def sign_up_send(visit: Visit) -> Response:
    """Take the request. The answer is the same whether or not somebody has the address, and mail is sent after it."""
    signups = _signups(visit)
    values = {name: visit.field(name) for name in FIELDS}
    try:
        found = signups.request(**values, network=visit.entry.network())
    except TooManyAttemptsError as error:
        response = _page(visit, 429, problem=TOO_MANY)
        response.headers["Retry-After"] = str(error.seconds)
        return response
    except SignUpError as error:
        text = told(error)
        return _page(visit, 400, {error.field: text}) if error.field else _page(visit, 400, problem=text)
    text = Message(
        "A mail with a link is on its way to %(email)s. The link is good for two days.", email=found.email
    )
    response = visit.show("sign_up_state", heading=Message("Look into your mail"), text=text, url="")
    visit.afterwards(response, lambda: signups.machine.go_on(found.id))
    return response


@pages.get("/sign-up/verify/<secret>", For.ANYBODY, At.CENTRAL)
def verify(visit: Visit, secret: str) -> Response:
    """Show what the link has proven. Programs that look at every link in a mail do no harm."""
    signups = _signups(visit)
    found = signups.look(secret)
    if found is None:
        return _gone(visit)
    return _state(visit, found) if found.state is not State.REQUESTED else _ask(visit, signups, found, secret)


@pages.post("/sign-up/verify/<secret>", For.ANYBODY, At.CENTRAL)
def verify_send(visit: Visit, secret: str) -> Response:
    """Take the proof, and make the tenant if nobody has to approve it."""
    signups = _signups(visit)
    found = signups.look(secret)
    if found is None:
        return _gone(visit)
    try:
        found = signups.verify(secret, visit.request.form.get("password", ""))
    except SignUpError as error:
        return _ask(visit, signups, found, secret, 400, told(error), error.field)
    return _state(visit, signups.machine.go_on(found.id))


def _signups(visit: Visit) -> SignUps:
    if visit.accounts.application.settings.signup is None:
        raise NotFound
    return visit.accounts.signups


def _page(
    visit: Visit, status: int = 200, errors: dict[str, str] | None = None, problem: str = ""
) -> Response:
    return visit.show(
        "sign_up",
        status,
        values={name: visit.field(name) for name in FIELDS},
        errors=errors or {},
        base=visit.accounts.application.settings.base_domain or "",
        notice=bad(problem) if problem else None,
    )


def _ask(
    visit: Visit,
    signups: SignUps,
    found: SignUp,
    secret: str,
    status: int = 200,
    problem: str = "",
    about: str = "",
) -> Response:
    return visit.show(
        "verify",
        status,
        secret=secret,
        email=found.email,
        needs_password=signups.needs_password(found),
        rule=RULE,
        errors={"password": problem} if about == "password" else {},
        notice=bad(problem) if problem and about != "password" else None,
    )


def _state(visit: Visit, found: SignUp) -> Response:
    """What has become of a sign-up."""
    heading, text, url = *_STATES.get(found.state, _UNDER_WAY), ""
    tenant = visit.accounts.application.directory.find_id(found.tenant_id) if found.tenant_id else None
    if tenant is not None and found.state in (State.TRIAL, State.REMINDED, State.GRACE, State.KEPT):
        heading = Message("Your workspace is ready")
        text = Message("%(tenant)s is there. Log in, and invite your people.", tenant=tenant.name)
        try:
            url = visit.link_to(tenant, "log_in")
        except ConfigurationError:
            text = Message("%(tenant)s is there. A mail tells you its address.", tenant=tenant.name)
    return visit.show("sign_up_state", heading=heading, text=text, url=url, label=Message("Log in"))


def _gone(visit: Visit) -> Response:
    text = Message("The link is good for two days, and only the newest one is. Sign up once more.")
    return visit.show("link_gone", 410, text=text, page="sign_up", label=Message("Sign up"))
