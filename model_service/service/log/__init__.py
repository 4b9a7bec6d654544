"""The decision log: append-only, chained, on disk before anyone sees an answer.

entry.py    what an entry is, its canonical bytes and its digest
private.py  personal text, encrypted: everything of it passes through here
keys.py     a key for every record, wrapped, apart from the log; server_keys.py those of a server
erasure.py  erases personal text: on record first, then its ciphertext, then its keys
scrub.py    the two halves of that, which the store needs too
upgrade.py  a file of version 1, in the clear, becomes one of this version
store.py    whole batches, or nothing: what every store does, and the one of a file
schema.py   the file's tables and the guards that keep them append-only
postgres.py the store of a server's database, for several processes; session.py its connection
migrate.py  that database's tables, version by version, and its guards
place.py    a file or a server: which store it is
reading.py  questions that routes ask of the log
log.py      the store under an event loop: group commit
snapshot.py the log at one moment, read-only, while the service writes
verify.py   walks the chain and names the first bad entry
export.py   what is in the log as rows, one per assessment

No record, no recommendation: an answer goes out only after its entry is on disk.
"""

from model_service.service.log.entry import KINDS, Draft, Entry, Kind
from model_service.service.log.log import DecisionLog
from model_service.service.log.store import LogUnavailable, Overtaken
from model_service.service.log.verify import Fault, Verification, verify

__all__ = [
    "KINDS",
    "DecisionLog",
    "Draft",
    "Entry",
    "Fault",
    "Kind",
    "LogUnavailable",
    "Overtaken",
    "Verification",
    "verify",
]
