"""The job table. ``jobs.py`` says how it is worked on.

The migration adds, in raw SQL::

    ALTER TABLE job ADD CONSTRAINT job_state_known
        CHECK (state IN ('waiting', 'running', 'retrying', 'done', 'dead'));
    ALTER TABLE job ADD CONSTRAINT job_leased_while_running
        CHECK ((state = 'running') = (leased_until IS NOT NULL));
    ALTER TABLE job ADD CONSTRAINT job_attempts_not_negative CHECK (attempts >= 0);
    CREATE UNIQUE INDEX job_one_waiting_per_key ON job (kind, key) WHERE state = 'waiting';
    CREATE INDEX job_due ON job (run_at, id) WHERE state IN ('waiting', 'retrying');
    CREATE INDEX job_leases ON job (leased_until) WHERE state = 'running';
    CREATE INDEX job_finished ON job (finished_at) WHERE state IN ('done', 'dead');
"""

from piccolo.columns import JSONB, BigInt, BigSerial, Integer, Text, Timestamptz, Varchar
from piccolo.columns.defaults.timestamptz import TimestamptzNow
from piccolo.table import Table


class Job(Table, tablename="job"):
    """Work that can wait, written in the same transaction as its cause."""

    id = BigSerial(primary_key=True)
    #: Which handler takes it.
    kind = Varchar(length=80, default="", null=False)
    payload = JSONB(default="{}", null=False)
    #: At most one waiting job per kind and key; null: no such limit.
    key = Varchar(length=200, default=None, null=True)
    state = Varchar(length=10, default="waiting", null=False)
    #: Not before this time.
    run_at = Timestamptz(default=TimestamptzNow(), null=False)
    #: How often it was begun.
    attempts = Integer(default=0, null=False)
    #: Fencing: counts the claims; an effect is only kept under the newest.
    token = BigInt(default=0, null=False)
    #: The worker that is silent beyond this time has lost the job.
    leased_until = Timestamptz(default=None, null=True)
    #: Who works on it: host, process and task.
    worker = Varchar(length=200, default=None, null=True)
    #: What went wrong the last time.
    trouble = Text(default=None, null=True)
    enqueued_at = Timestamptz(default=TimestamptzNow(), null=False)
    finished_at = Timestamptz(default=None, null=True)
