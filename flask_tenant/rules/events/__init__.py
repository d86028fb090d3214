"""Event rules: what happens when something has happened, or has happened often.

``sending`` takes events in; ``reaction`` finds the rules that fire and does what they say; ``windows`` counts, in Redis
(``in_redis``) or in SQL (``in_sql``); ``marks`` remembers what fires once only; ``webhooks`` tells other applications.
"""

from .postponed import Postponed
from .reaction import Event, Reaction
from .sending import Events, WebhookNames

__all__ = ["Event", "Events", "Postponed", "Reaction", "WebhookNames"]
