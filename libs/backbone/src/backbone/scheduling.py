"""Runs scheduled tasks, each once a period among all replicas."""

import asyncio
import logging
from zlib import crc32

from backbone.database import Database
from backbone.failures import describe
from backbone.outbox import Chunk
from backbone.progress import Progress
from backbone.schedule import Schedule, Scheduled

log = logging.getLogger("backbone")

LOCK_CLASS = 0x59495041
BUSY_WAIT_S = 1.0

LOCK = "SELECT pg_try_advisory_xact_lock($1, $2)"
DUE_IN = """
SELECT greatest(0, $2 - extract(epoch FROM clock_timestamp() - ran_at))::float8
FROM scheduled WHERE name = $1
"""
MARK_RUN = """
INSERT INTO scheduled (name, ran_at) VALUES ($1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET ran_at = excluded.ran_at
"""


async def run_schedule(schedule: Schedule, database: Database, progress: Progress) -> None:
    """Run every task of a schedule when it is due, for ever.

    A failure is logged and counted, and the task tried again after a period: what a clock starts
    must not stop what events need.
    """
    async with asyncio.TaskGroup() as group:
        for task in schedule.tasks:
            group.create_task(_run(task, database, progress))


async def _run(task: Scheduled, database: Database, progress: Progress) -> None:
    while True:
        try:
            wait_s = await run_if_due(task, database)
            progress.failed_tasks.pop(task.name, None)
        except Exception as error:
            progress.failed_tasks[task.name] = progress.failed_tasks.get(task.name, 0) + 1
            log.exception("a task failed", extra={"task": task.name, "reason": describe(error)})
            wait_s = task.period_s
        await asyncio.sleep(wait_s)


async def run_if_due(task: Scheduled, database: Database) -> float:
    """Run a task if it is due and no other replica runs it; return when to ask again, in seconds.

    A task that never ran is due.
    """
    chunks: list[Chunk] = []
    now = database.clock()
    async with database.transaction() as tx:
        # The key is signed in PostgreSQL.
        key = crc32(task.name.encode()) - 2**31
        if not await tx.fetchval(LOCK, LOCK_CLASS, key):
            return min(task.period_s, BUSY_WAIT_S)
        due_in_s: float = await tx.fetchval(DUE_IN, task.name, task.period_s) or 0.0
        if due_in_s > 0:
            return due_in_s
        await tx.execute(MARK_RUN, task.name)
        staged = database.outbox.stage(await task.task(tx, now))
        chunks = await database.outbox.append(tx, staged, now)
    database.committed(chunks)
    return task.period_s
