"""What our own pages and mails say, in the language of whoever reads it: gettext, in the domain ``flask_tenant``.

catalogues.py  which languages there are, and which one to take
speaking.py    the language that holds for the running code: ``gettext``, ``ngettext``, ``Message``
dates.py       dates and times
templates.py   all of it for an environment of Jinja's
de/, fr/       the languages: ``.po`` is what people write, ``.mo`` what is read
"""

from __future__ import annotations

from .catalogues import Catalogues
from .speaking import ENGLISH, Language, Message, gettext, language, ngettext, speaking, translated

__all__ = [
    "ENGLISH",
    "Catalogues",
    "Language",
    "Message",
    "gettext",
    "language",
    "ngettext",
    "speaking",
    "translated",
]
