"""Webhooks: what ``do: [{webhook: ops}]`` of an event rule tells other applications.

A rule names a webhook; the tenant's configuration says its URL. Firing puts it into ``outbox``, a table; outside any
request, ``deliver`` sends it to where ``address`` allows, signed by ``signature``.
"""
