"""Errors of the disk or the database, each in one sentence for a person."""

import errno
import sqlite3

FULL = "the disk is full: free some space; clients repeat requests that failed"
READ_ONLY = "the folder cannot be written to: check its owner, its permissions and its mount"
DAMAGED = "the database is damaged: `python -m server check` lists the damage; go back to a backup"
_BY_CODE = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: READ_ONLY,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_BUSY: "another process has held the database for half a minute; clients repeat requests that failed",
}
_PASSING = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_IOERR,
}
_BY_NUMBER = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: READ_ONLY,
    errno.EPERM: READ_ONLY,
}


def is_temporary(error: BaseException) -> bool:
    """Whether the same request may succeed later, when a person has made room; else it is a fault of this server."""
    if isinstance(error, OSError):
        return error.errno in (*_BY_NUMBER, errno.EIO)
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in _PASSING


def is_timeout(error: BaseException) -> bool:
    """Whether a query was ended because its request ran out of time."""
    return getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT


def explain(error: sqlite3.Error | OSError) -> str:
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or 0, f"the disk failed: {error.strerror or error}")
    code = getattr(error, "sqlite_errorcode", 0)
    if code in (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE):  # a quota, or no room beside the database
        return FULL
    return _BY_CODE.get(code & 0xFF, f"the database failed: {error}")
