"""Log-in: who somebody is, through which of a tenant's providers, and what they are there.

home.py       what log-in needs of the directory, in whose database its tables are
secrets.py    encrypts what must be told to others later, such as a provider's client secret
providers/    the ways to log in that each tenant has, and the kinds of them that there are
ldap/         the kind ``ldap``
"""
