"""Who somebody is, and what they are in a tenant.

people/       persons, their identities, members and roles, invitations
sessions.py   who is logged in, kept on the server
tickets.py    what is good once: links in mails, log-ins under way
throttle.py   how often somebody may try
local.py      passwords of ours
passwords.py  their hashes
oidc/         log-in through a tenant's OpenID provider
breaker.py    how long everybody waits for a provider of somebody else's
store.py      what all of these need of the directory

Each kind of provider is in a folder of its own.
"""
