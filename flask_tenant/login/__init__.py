"""Log-in: who somebody is, through which of a tenant's providers, and what they are there.

providers/    the ways to log in that each tenant has, and the kinds of them that there are
oidc/         the kind ``oidc``: a tenant's own OpenID provider
ldap/         the kind ``ldap``: a tenant's own LDAP directory
local.py      the kind ``local``: passwords of ours
passwords.py  their hashes
breaker.py    waits for a provider: not for long, and not with everybody
secrets.py    encrypts what must be told to others later, such as a provider's client secret
people/       persons, their identities, members and roles, invitations
sessions.py   who is logged in, kept on the server
tickets.py    what is good once: links in mails, log-ins under way
throttle.py   how often somebody may try
store.py      what all of these need of the directory
"""
