"""Pages for people, below ``TENANT_LOGIN_PATH``: the application serves none of them, and shuts none of them.

serving.py      in front of the application: which page, in which context, with which headers
routes.py       what a page says of itself: its path, for whom it is, and where
visit.py        what a page knows of whoever looks at it, and how it answers
safety.py       forms that we have handed out, and where to go on afterwards
environment.py  the templates, and what takes their place

asking.py       for an e-mail address to which something is mailed
login.py        logging in and out
passwords.py    a new password
invitations.py  becoming a member
sessions.py     who is logged in, and where
members.py      the tenant's people, for its administrators
switching.py    from one tenant to another
operators.py    acting as somebody
signing_up.py   a tenant of one's own
finding.py      the way to a tenant
banner.py       above the application's own pages, while an operator acts as somebody
"""
