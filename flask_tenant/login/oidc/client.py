"""One OpenID provider at work: the log-in, and the log-out."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from ...errors import ProviderUnavailableError
from ...identity import Attempt, Ended, GoTo, Identified, Identity, Provider
from ..breaker import Breaker
from .issuer import Issuer, Metadata
from .settings import OidcSettings
from .tokens import LEEWAY_SECONDS, LOGOUT_SECONDS, check_id_token, check_logout_token, refused, verified
from .transport import Line, Reply

if TYPE_CHECKING:
    from . import First

SECONDS = 5.0
"""How long a step of a log-in may take, everything that is asked of the provider together."""

LEAVE_SECONDS = 2.0
"""How long a log-out looks for the way to the provider's own."""

_LONGEST = {"name": 200, "email": 254, "sid": 255}  # the columns


class Client:
    """Logs people in through one OpenID provider: an Authenticator, with SingleLogout.

    :param first: keeps in mind which logout tokens were seen
    :param clock: seconds since 1970
    :param ticks: seconds, as :func:`time.monotonic` counts them
    """

    def __init__(
        self,
        provider: Provider,
        first: First,
        clock: Callable[[], float],
        ticks: Callable[[], float] = monotonic,
    ) -> None:
        self._provider = provider
        self._settings = OidcSettings.of(provider)
        self._first = first
        self._clock = clock
        self._issuer = Issuer(self._settings, ticks)
        self._breaker = Breaker(f"The provider {provider.name!r} ({self._settings.issuer})", ticks)
        # A log-in that began at another tenant, or at another of this one's providers, does not end here.
        self._mark = f"{provider.tenant_id}/{provider.id}"

    # ---- the log-in
    def begin(self, attempt: Attempt) -> GoTo:
        """Send the browser to the provider.

        :raises ProviderUnavailableError: when the provider does not answer
        """
        settings = self._settings
        metadata = self._issuer.metadata(self._get)
        state, nonce, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        more = {"login_hint": attempt.hint, "prompt": settings.prompt, "max_age": settings.max_age}
        url = prepare_grant_uri(
            metadata.authorization_endpoint,
            settings.client_id,
            "code",
            redirect_uri=attempt.callback,
            scope=" ".join(settings.scopes),
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **{name: value for name, value in more.items() if value not in ("", None)},
        )
        memory = {
            "state": state,
            "nonce": nonce,
            "verifier": verifier,
            "callback": attempt.callback,
            "provider": self._mark,
        }
        return GoTo(url, memory)

    def finish(self, attempt: Attempt, answer: Mapping[str, str]) -> Identified:
        """Take the provider's answer.

        :raises LoginRefusedError: when it proves nothing
        :raises ProviderUnavailableError: when the provider does not answer
        """
        memory = attempt.memory
        if not _same(memory.get("state"), answer.get("state")):
            raise refused("state", "The answer is not to a log-in that this browser has begun")
        if memory.get("provider") != self._mark:
            raise refused("provider", f"The log-in began at the provider {memory.get('provider')!r}")
        if memory.get("callback") != attempt.callback:
            raise refused("callback", f"The answer came to {attempt.callback!r}", attempt.callback)
        issuer = answer.get("iss")
        if issuer is not None and issuer != self._settings.issuer:
            raise refused("issuer-parameter", f"The answer is of {issuer[:300]!r}", issuer)
        if "error" in answer:
            reason = "denied" if answer["error"] == "access_denied" else "provider-error"
            raise refused(
                reason,
                f"The provider says {answer['error'][:100]!r}, {answer.get('error_description', '')[:200]!r}",
                answer["error"],
            )
        code = answer.get("code")
        if not code:
            raise refused("code", "The answer holds no code")
        try:
            return self._breaker.call(lambda: self._identify(memory, code, issuer), SECONDS)
        except ProviderUnavailableError:
            self._issuer.doubt()
            raise

    def _identify(self, memory: Mapping[str, str], code: str, issuer: str | None) -> Identified:
        settings = self._settings
        with Line(settings, SECONDS) as line:
            metadata = self._issuer.metadata(line.get)
            if metadata.names_itself and issuer is None:
                # RFC 9207, section 2.4: whoever mixes providers up would leave it out.
                raise refused(
                    "issuer-parameter", "The answer does not say whose it is, and the provider always does"
                )
            method = auth_method(settings, metadata)
            tokens = line.redeem(
                metadata.token_endpoint, code, memory["verifier"], memory["callback"], method
            )
            if "id_token" not in tokens:
                raise refused("token", "The provider's answer to the code holds no ID token")
            access = tokens.get("access_token")
            claims = check_id_token(
                verified(
                    tokens["id_token"],
                    lambda anew: self._issuer.keys(line.get, anew=anew),
                    metadata.algorithms,
                ),
                issuer=settings.issuer,
                client_id=settings.client_id,
                nonce=memory["nonce"],
                access_token=access if isinstance(access, str) else None,
                max_age=settings.max_age,
                now=self._clock(),
            )
            if settings.userinfo and metadata.userinfo_endpoint and self._wanting(claims):
                claims = {**self._userinfo(line, metadata, tokens, claims), **claims}
        return self._identified(claims, tokens["id_token"])

    def _wanting(self, claims: Mapping[str, Any]) -> bool:
        """Whether an ID token leaves open what is asked for."""
        wanted = {"email": "email", "profile": "name"}
        if any(scope in self._settings.scopes and name not in claims for scope, name in wanted.items()):
            return True
        return bool(self._settings.groups_claim) and _find(claims, self._settings.groups_claim) is None

    def _userinfo(
        self, line: Line, metadata: Metadata, tokens: Mapping[str, Any], claims: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Ask for what the ID token does not say (OpenID Connect Core 1.0, section 5.3)."""
        access, kind = tokens.get("access_token"), tokens.get("token_type")
        if not isinstance(access, str) or not isinstance(kind, str) or kind.lower() != "bearer":
            raise refused("token", f"The access token is of the type {kind!r}")
        if not access.isascii() or not access.isprintable():
            raise refused("token", "The access token is none")
        reply = line.get(metadata.userinfo_endpoint, access)
        reply.raise_for_status()
        found = reply.object()
        if found.get("sub") != claims["sub"]:
            # Section 5.3.2: it must be compared, or the access token may be somebody else's.
            raise refused("userinfo-subject", f"userinfo is about {str(found.get('sub'))[:300]!r}")
        if "email" in claims and found.get("email") != claims["email"]:
            found.pop("email_verified", None)  # it is said of another address
        return found

    def _identified(self, claims: Mapping[str, Any], id_token: str) -> Identified:
        names = (_text(claims, "given_name"), _text(claims, "family_name"))
        name = _text(claims, "name") or " ".join(filter(None, names)) or _text(claims, "preferred_username")
        email, session = _text(claims, "email"), _text(claims, "sid")
        if len(email) > _LONGEST["email"]:
            email = ""  # a part of an address would be another one
        return Identified(
            Identity(self._settings.issuer, claims["sub"]),
            name=name[: _LONGEST["name"]],
            email=email,
            # Nothing but the word: a text "false" would count as true.
            email_verified=bool(email) and claims.get("email_verified") is True,
            groups=_groups(claims, self._settings.groups_claim),
            session=session if len(session) <= _LONGEST["sid"] else "",
            hint=id_token,
        )

    # ---- the log-out
    def leave(self, hint: str, back: str) -> str | None:
        """Return where the provider logs people out (OpenID Connect RP-Initiated Logout 1.0, section 2).

        :param hint: the ID token; it may have expired
        :param back: has to be registered there
        """
        metadata = self._issuer.last_metadata()
        if metadata is None:
            try:
                metadata = self._issuer.metadata(lambda url: self._get(url, LEAVE_SECONDS))
            except ProviderUnavailableError:
                return None
        if not metadata.end_session_endpoint:
            return None
        params = [("client_id", self._settings.client_id), ("post_logout_redirect_uri", back)]
        if hint:
            params.append(("id_token_hint", hint))
        return str(add_params_to_uri(metadata.end_session_endpoint, params))

    def ended(self, message: Mapping[str, str]) -> Ended:
        """Return what has ended (OpenID Connect Back-Channel Logout 1.0, section 2.5).

        :param message: the fields that the provider's server has sent: ``logout_token``
        :raises LoginRefusedError: when it proves nothing, or was sent before
        :raises ProviderUnavailableError: when the provider's keys cannot be had
        """
        settings = self._settings
        now = self._clock()
        token = verified(
            message.get("logout_token"),
            lambda anew: self._issuer.keys(self._get, anew=anew),
            self._issuer.metadata(self._get).algorithms,
        )
        claims = check_logout_token(token, issuer=settings.issuer, client_id=settings.client_id, now=now)
        if not self._first(self._provider, claims["jti"], LOGOUT_SECONDS + 2 * LEEWAY_SECONDS):
            raise refused("replayed", "The logout token was sent before", claims["jti"])
        return Ended(claims.get("sid", ""), claims.get("sub", ""))

    # ---- talking to it
    def _get(self, url: str, seconds: float = 0) -> Reply:
        limit = seconds or SECONDS

        def work() -> Reply:
            with Line(self._settings, limit) as line:
                return line.get(url)

        return self._breaker.call(work, limit)


def auth_method(settings: OidcSettings, metadata: Metadata) -> str:
    """Return how the client's secret is shown: as is set, or else as the provider wants it."""
    if not settings.client_secret:
        return "none"
    if settings.auth_method:
        return settings.auth_method
    return "client_secret_basic" if "client_secret_basic" in metadata.auth_methods else "client_secret_post"


def _same(kept: str | None, sent: str | None) -> bool:
    return bool(kept and sent) and hmac.compare_digest(str(kept).encode(), str(sent).encode())


def _text(claims: Mapping[str, Any], name: str) -> str:
    """Return a claim's text, without what no line has."""
    value = claims.get(name)
    return "".join(c for c in value if c.isprintable()).strip() if isinstance(value, str) else ""


def _find(claims: Mapping[str, Any], path: str) -> Any:
    """Return a claim: of this very name, or at the end of a path with dots."""
    if path in claims:
        return claims[path]
    at: Any = claims
    for name in path.split("."):
        at = at.get(name) if isinstance(at, dict) else None
    return at


def _groups(claims: Mapping[str, Any], path: str) -> tuple[str, ...]:
    found = _find(claims, path) if path else None
    names = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str) and name))
