"""The only SQL and the only file paths; `schema.sql` has the place of each kind of data.

Knows nothing of HTTP or GraphQL. Rows are dictionaries with the names of the columns. Functions that take a connection
may be called inside `Store.write()`, where they are part of its transaction, or outside, where they only read.
"""

import sqlite3

from server.store.database.connection import TimedConnection
from server.store.database.crud import Row
from server.store.errors import NotFound, Refused, StoreError
from server.store.folder.store import Store, folder_transaction
from server.store.users import api_key

Connection = sqlite3.Connection
DatabaseError = sqlite3.Error

__all__ = [
    "Connection",
    "DatabaseError",
    "NotFound",
    "Refused",
    "Row",
    "Store",
    "StoreError",
    "TimedConnection",
    "api_key",
    "folder_transaction",
]
