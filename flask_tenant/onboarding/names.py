"""What a new tenant may be called: nothing that is taken, reserved, or looks as if it were.

A slug is a host name's first label: ``www``, ``admin``, or ``paypa1`` beside ``paypal``, would lead people astray. Two
slugs look alike when they are equal once what looks alike is written alike (after the skeletons of UTS #39, section 4,
within the characters that a slug may have).
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Callable, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ..errors import SignUpError
from ..translations import Message

SHORTEST = 3
LONGEST_NAME = 200

_WORDS = """
about abuse account accounts admin administrator api app apps assets auth autoconfig autodiscover billing blog
broadcasthost cdn central client cname cockpit contact dashboard data demo dev developer developers dns docs download
downloads email example faq feed files ftp git help home hostmaster id image images imap img info internal invoice
invoices ipv4 ipv6 isatap jobs js legal lists localdomain localhost login logout mail mailer mailer-daemon marketing
media mta-sts mx my news no-reply nobody noc noreply ns ns1 ns2 oauth office oidc openid operator operators owner
partner payment payments pop pop3 portal postmaster press privacy private proxy public register registration remote
root sales saml sandbox search secure security server shop sign-in sign-up signin signup smtp ssl sso staff stage
staging static stats status store superuser support sysadmin system tenant tenants terms test testing tls token tokens
tool tools trial update upload uploads user username users uucp vpn web webhook webhooks webmail webmaster website
wiki wpad ws www www1 www2 www3
"""

RESERVED = frozenset(_WORDS.split())
"""Names of services and roles (RFC 2142 among them), and what programs look for by themselves (``wpad``)."""

_ALIKE = (
    ("-", ""),
    ("0", "o"),
    ("1", "l"),
    ("i", "l"),
    ("5", "s"),
    ("2", "z"),
    ("rn", "m"),
    ("vv", "w"),
    ("cl", "d"),
)
"""What is written like what; hyphens are easily overlooked. Pairs of letters come last: ``c1`` is a pair, too."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that nobody sees, or that change how others are shown (bidirectional ones)."""

_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Characters that show as nothing, and count as letters, marks or symbols (Unicode's Default_Ignorable_Code_Point)."""


def skeleton(slug: str) -> str:
    """Return what looks like the slug, the same for all that look alike."""
    for written, like in _ALIKE:
        slug = slug.replace(written, like)
    return slug


def _skeleton_in_sql(column: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    found = column
    for written, like in _ALIKE:
        found = sa.func.replace(found, written, like)
    return found


class Names:
    """Says what a new tenant may be called.

    :param checked: returns a slug that can be a host label, or raises
    :param reserved: further slugs that nobody gets
    :param base: what follows a slug in host names, if it is known
    :param tenant: the table of tenants
    :param former: the table of slugs that tenants had before
    :param domain: the table of custom domains
    :param signup: the table of sign-ups
    """

    def __init__(
        self,
        checked: Callable[[str], str],
        *,
        reserved: Iterable[str] = (),
        base: str | None = None,
        tenant: sa.Table,
        former: sa.Table,
        domain: sa.Table,
        signup: sa.Table,
    ) -> None:
        self._checked, self._base = checked, base
        self._reserved = {skeleton(slug.lower()) for slug in (*RESERVED, *reserved)}
        self._tenant, self._former, self._domain, self._signup = tenant, former, domain, signup

    def slug(self, text: str) -> str:
        """Return a slug that a new tenant may have, as far as that can be said without looking at others.

        :raises SignUpError: for one that cannot be, or is reserved
        """
        slug = text.strip()
        if not slug.isascii():
            raise _refused(
                "slug", Message("The address %(slug)r has letters beyond a to z", slug=slug), slug, _LETTERS
            )
        try:
            slug = self._checked(slug.lower())
        except Exception as error:
            raise _impossible(slug) from error
        if len(slug) < SHORTEST:
            raise _refused(
                "slug",
                Message("The address %(slug)r is too short", slug=slug),
                slug,
                Message("Use %(count)d characters or more", count=SHORTEST),
            )
        # What has hyphens there says how it is encoded (RFC 5891, section 4.2.3.1): xn--pypal-4ve shows as pаypal.
        if slug[2:4] == "--":
            raise _impossible(slug)
        if skeleton(slug) in self._reserved:
            raise _refused(
                "slug",
                Message("The address %(slug)r is reserved", slug=slug),
                slug,
                Message("Choose another"),
            )
        return slug

    def tenant_name(self, text: str) -> str:
        """Return a name for people that a new tenant may have.

        :raises SignUpError: for an empty one, one with characters that nobody sees, and one that mixes scripts so that
            it looks like another
        """
        from confusable_homoglyphs import confusables

        name = _line("tenant_name", text)
        if any(confusables.is_dangerous(word) for word in re.split(r"[\s\W_]+", name) if word):
            raise _refused(
                "tenant_name",
                Message("The name %(name)r mixes letters that look alike", name=name),
                text,
                Message("Use letters of one script"),
            )
        return name

    def person_name(self, text: str) -> str:
        """Return what somebody is called who signs up.

        :raises SignUpError: for an empty name, and one with characters that nobody sees
        """
        return _line("person_name", text)

    def free(self, connection: Connection, slug: str, *, own: int | None = None) -> None:
        """Make sure that nobody has the slug, or one that looks like it, until the transaction ends.

        :param own: the sign-up that asks
        :raises SignUpError: when somebody has
        """
        like, signup = skeleton(slug), self._signup
        if connection.dialect.name == "postgresql":
            # Of two that look, one sees what the other has written. SQLite has one writer anyway.
            lock = zlib.crc32(f"{signup.name} {like}".encode()) - 2**31
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(lock)))
        open_ones = signup.c.state.in_(["verified", "approved"])
        others = open_ones if own is None else sa.and_(open_ones, signup.c.id != own)
        taken = sa.union_all(
            sa.select(self._tenant.c.slug).where(_skeleton_in_sql(self._tenant.c.slug) == like),
            sa.select(self._former.c.slug).where(_skeleton_in_sql(self._former.c.slug) == like),
            sa.select(signup.c.slug).where(others, _skeleton_in_sql(signup.c.slug) == like),
            sa.select(self._domain.c.host).where(self._domain.c.host == f"{slug}.{self._base or ''}"),
        )
        if connection.scalar(sa.select(taken.subquery().c[0]).limit(1)) is not None:
            raise _refused(
                "slug",
                Message("The address %(slug)r is taken, or looks like one that is", slug=slug),
                slug,
                Message("Choose another"),
            )


_LETTERS = Message("Use up to 63 small letters, digits and inner hyphens")


def _impossible(slug: str) -> SignUpError:
    return _refused("slug", Message("The address %(slug)r cannot be", slug=slug), slug, _LETTERS)


def _line(field: str, text: str) -> str:
    """Return a name in one line, in composed characters.

    :raises SignUpError: for an empty one, one that is too long, and one with characters that nobody sees
    """
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > LONGEST_NAME:
        raise _refused(
            field,
            Message("The name is empty or too long"),
            text,
            Message("Use up to %(count)d characters", count=LONGEST_NAME),
        )
    if any(unicodedata.category(c) in _UNSEEN or c in _BLANK for c in name):
        raise _refused(
            field, Message("The name has characters that nobody sees"), name, Message("Leave them out")
        )
    return name


def _refused(field: str, message: Message, value: str, hint: Message) -> SignUpError:
    return SignUpError(message, field=field, value=value, hint=hint)
