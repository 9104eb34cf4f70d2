"""The job table (``jobs.py`` says how it is worked on) and the kept replies of ``replay.py``."""

from piccolo.constraints import Unique
from piccolo.table import Table

from market.db.columns import document, moment, number, reference, text, whole


class Job(Table, tablename="job"):
    """Work that can wait, written in the same transaction as its cause."""

    id = number()
    #: Which handler takes it.
    kind = text()
    payload = document()
    #: At most one waiting job per kind and key; null: no such limit.
    key = text(null=True)
    state = text(default="waiting")
    #: Not before this time.
    run_at = moment()
    #: How often it was begun.
    attempts = whole(default=0)
    #: Fencing: counts the claims; an effect is only kept under the newest.
    token = whole(default=0)
    #: The worker that is silent beyond this time has lost the job.
    leased_until = moment(null=True)
    #: Who works on it: host, process and task.
    worker = text(null=True)
    #: What went wrong the last time.
    trouble = text(null=True)
    enqueued_at = moment()
    finished_at = moment(null=True)


class Replay(Table, tablename="replay"):
    """The reply to a request that must not take effect twice."""

    id = number()
    actor = reference("Person", part_of=True, index=False, checked=False)
    key = text()
    request_hash = text()
    reply = document()
    created_at = moment()
    replay_once = Unique([actor, key], name="replay_once")
