"""Who somebody is, and what they are in a tenant.

people/       persons, their identities, members and roles, invitations
sessions.py   who is logged in, kept on the server
tickets.py    what is good once: links in mails, log-ins under way
throttle.py   how often somebody may try
local.py      passwords of ours
passwords.py  their hashes
store.py      what all of these need of the directory

What is said of a tenant's own providers is in folders of their own.
"""
