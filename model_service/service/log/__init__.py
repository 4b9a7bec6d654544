"""The decision log: append-only, chained, on disk before anyone sees an answer.

entry.py    what an entry is, its canonical bytes and its digest
private.py  personal text, encrypted: everything of it passes through here
keys.py     a key for every record, wrapped, apart from the log; server_keys.py those of a server
erasure.py  erases personal text: on record first, then its ciphertext, then its keys
scrub.py    the two halves of that, which the store needs too
upgrade.py  a file of version 1, in the clear, becomes one of this version
store.py    the one writer: whole batches, or nothing; into a file
schema.py   the file's tables and the guards that keep them append-only
postgres.py the same into a server's database, for several processes
migrate.py  that database's tables, version by version, and its guards
connection.py  what is asked of either; file_line.py and session.py hold on to one
place.py    a file or a server: which of them it is
spool.py    where decisions wait while the log can't be written
reading.py  questions that routes ask of the log
filters.py  which entries are wanted, by what they tell
log.py      the store under an event loop: group commit
snapshot.py the log at one moment, read-only, while the service writes
merkle.py   the tree over the entries' digests; its proofs
checkpoint.py    signed statements of what the log was, for others to keep
checkpointer.py  takes them while the log grows
proof.py    proofs for somebody who holds only checkpoints
verify.py   walks the chain, compares it with checkpoints, names the first bad entry
export.py   what is in the log as rows, one per assessment
replay.py   recomputes assessments from their records and releases

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
