"""Who is a request for? Strategies read the request's facts, in order; the first that has something to say wins.

What a client carries about (a *claim*: a token, a session, a header) must agree with whatever else says something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import CredentialRefusedError
from ..model import Refusal, RequestFacts, Resolution
from ..protocols import Strategy
from .command_line import CommandLine
from .domain import Domain
from .header import Header, TrustedPeers
from .hosts import InvalidHostError, host_name, typed_name
from .jwt import Verifier
from .lookups import Lookups
from .moved import elsewhere, inside, new_address
from .path import Path
from .session import Session
from .subdomain import Subdomain
from .token import Token

__all__ = [
    "CommandLine",
    "Domain",
    "Header",
    "InvalidHostError",
    "Lookups",
    "Path",
    "Session",
    "Subdomain",
    "Token",
    "TrustedPeers",
    "Verifier",
    "elsewhere",
    "host_name",
    "inside",
    "new_address",
    "resolve",
    "typed_name",
]


def resolve(
    facts: RequestFacts, strategies: Iterable[Strategy], source: Callable[[], str] = lambda: ""
) -> Resolution:
    """Return the tenant that a request is for.

    A strategy that names a tenant which does not exist ends the search: falling through would serve somebody else.
    :param source: where the directory had its last answer from

    Once somebody has won, those are still asked whose word must agree: claims, and everybody if a claim has won.
    """
    won: Resolution | None = None
    claimed = False
    for strategy in strategies:
        if won is not None and not (claimed or strategy.claim):
            continue
        try:
            identifier = strategy.identify(facts)
        except CredentialRefusedError:
            return Resolution(None, strategy.name, refused=Refusal.CREDENTIAL)
        if identifier is None:
            continue
        found = strategy.find(identifier)
        if won is None:
            script_name = f"{strategy.mount}/{identifier}" if strategy.mount else ""
            won = Resolution(found, strategy.name, identifier, source(), script_name)
            claimed = strategy.claim
            if found is None:
                break
        elif found is None and not strategy.claim:
            return Resolution(None, strategy.name, identifier)
        elif won.tenant is None or found is None or found.id != won.tenant.id:
            return Resolution(None, won.strategy, won.identifier, refused=Refusal.CONFLICT)
    return won or Resolution(None)
