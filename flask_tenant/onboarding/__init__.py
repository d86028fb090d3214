"""Sign-up: from a request for a tenant to a tenant that is served, and to the end of its trial.

    states.py     the states, and which may follow which
    names.py      what a new tenant may be called
    book.py       the rows: every step is one transaction, and is taken once
    signups.py    what visitors and operators do: request, verify, approve, refuse, keep
    machine.py    what happens by itself, whenever it is asked to go on: after a crash, too
    telling.py    who hears of a step: its event, its mail

A step is taken when its work is done: work that was done by a process that died is found done, or is done anew. Then
everybody is told; who dies before that tells it later, so that a mail or an event may come twice, and never not at all.
"""

from __future__ import annotations

from .book import Book, Overtaken, Step
from .machine import Machine
from .names import Names
from .signups import SignUps
from .states import SignUp, State
from .telling import Telling

__all__ = ["Book", "Machine", "Names", "Overtaken", "SignUp", "SignUps", "State", "Step", "Telling"]
