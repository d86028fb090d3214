"""``make soak``: whether tenants stay apart, and servers stay up, while everything around them is disturbed.

Two gunicorn workers with threads and one uvicorn serve a small application, from PostgreSQL and with Redis, to as many
clients as keep them busy. Meanwhile tenants' configuration changes, tenants are suspended and resumed, clients hang up
in the middle of answers, and Redis is killed, frozen, emptied and restarted.

    site.py      what is served: every answer carries its tenant's canary
    servers.py   the processes, and their memory
    clients.py   requests, and what is wrong with their answers
    trouble.py   what happens meanwhile
    __main__.py  the run, its progress and its figures
"""
