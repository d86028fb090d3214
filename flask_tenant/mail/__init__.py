"""Mail: made from templates that themes may override, and sent through what ``TENANT_MAIL_URL`` names.

compose.py    from a template and values to a message
senders.py    SMTP; the console, for development
mail.py       both together: ``accounts.mail``
templates/    text, and HTML where somebody wants it; the first line is the subject
"""

from __future__ import annotations

from .compose import Composer, templates
from .mail import Mail
from .senders import ConsoleSender, SmtpSender, sender_of

__all__ = ["Composer", "ConsoleSender", "Mail", "SmtpSender", "sender_of", "templates"]
