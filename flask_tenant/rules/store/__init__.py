"""The versions of the rules: what was written, who has activated it when and why, and what holds now.

    home.py          what the store needs of the directory, in whose database its tables are
    history.py       reads what was activated, and what is active
    activation.py    switches, for all servers at once
    book.py          the compiled rules of a tenant, as a server keeps them in memory
    differences.py   what differs between two versions

A *file* has a name, a scope and a text. What a tenant obeys is a *chain* of active files: those for all, those of its
plan, its own. An *activation* switches some files in one transaction, and is a change of the directory: servers hear of
it as of any other.
"""

from .activation import Activations, Compile
from .book import RuleBook
from .differences import Difference, differences
from .history import Activated, History, RuleFile, Switch
from .home import Home

__all__ = [
    "Activated",
    "Activations",
    "Compile",
    "Difference",
    "History",
    "Home",
    "RuleBook",
    "RuleFile",
    "Switch",
    "differences",
]
