"""The checkpoint: facts, marks, decisions and their permanent log, over SQLAlchemy; SQLite by default.

schema      the tables                     migrations  how older files get there
recording   facts in, people marked        links       who a fact belongs to
identity    merges, conversions, e-mail    people      facts out, as connector.base.facts.Person
history     what was overwritten           past        a moment of the past as a state of its own
accounts    accounts as a whole             journal     what is about to be written
addresses   those beside the Email
settling    decisions and outcomes in      reading     questions of people
books       cursors, cycles, calls         dialect     where SQLite and PostgreSQL differ
opening     open_store                     store       the verbs, each one transaction
copying     a copy to try things on        stays       how long people stood where
standing    what reports read              views       for SQL of one's own
forgetting  a person leaves                 redacting   what is left of a row then
"""

from connector.store.accounts import own_stage
from connector.store.contesting import UNWRITABLE
from connector.store.copying import copy_state
from connector.store.forgetting import Footprint
from connector.store.journal import CAME_LATE, Intent
from connector.store.logbook import Logbook, logbook_beside
from connector.store.opening import Upgrade, open_past, open_store
from connector.store.redacting import Redactor
from connector.store.settling import Settled
from connector.store.store import KeptCursor, Store
from connector.store.undoing import UNDONE

__all__ = [
    "CAME_LATE",
    "UNDONE",
    "UNWRITABLE",
    "Footprint",
    "Intent",
    "KeptCursor",
    "Logbook",
    "Redactor",
    "Settled",
    "Store",
    "Upgrade",
    "copy_state",
    "logbook_beside",
    "open_past",
    "open_store",
    "own_stage",
]
