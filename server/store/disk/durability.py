"""Commits made durable: requests that end together share one fsync.

SQLite with `synchronous=FULL` syncs its log in every commit, one after the other. Here it runs with NORMAL, which syncs
only before a checkpoint, and a thread that has committed waits, outside of the writers' queue, for the next sync of the
log. The log is read from its beginning up to the first gap, so a synced transaction brings all earlier ones with it.
"""

import os
import threading
from pathlib import Path


class Durability:
    def __init__(self, log: Path) -> None:
        self._log = log
        self._descriptor: int | None = None
        self._turn = threading.Condition()
        self._committed = self._synced = 0
        self._syncing = False
        self._failure: OSError | None = None

    def wait(self) -> None:
        """Returns when everything that was committed before the call is on disk.

        Raises OSError; once a sync has failed, always: the system forgets the pages that it could not write, and a
        later sync that succeeds says nothing about them. The next start writes them again.
        """
        with self._turn:
            self._committed += 1
            mine = self._committed
            while self._synced < mine:
                if self._syncing:
                    self._turn.wait()
                    continue
                self._syncing, upto = True, self._committed
                self._turn.release()
                try:
                    self._sync()
                finally:
                    self._turn.acquire()
                    self._syncing = False
                    self._turn.notify_all()
                self._synced = upto

    def _sync(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._log, os.O_RDONLY)
            os.fdatasync(self._descriptor)
        except OSError as error:
            self._failure = error
            raise

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
