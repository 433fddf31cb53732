"""The only SQL and the only file paths; `schema.sql` says where each kind of data lies.

Knows nothing of HTTP or GraphQL. Rows are dictionaries with the names of the columns. Functions that take a connection
may be called inside `Store.write()`, where they are part of its transaction, or outside, where they only read.
"""

from server.store.database import (
    Connection,
    DatabaseError,
    NotFound,
    Refused,
    Row,
    Store,
    StoreError,
    TimedConnection,
    beside,
)
from server.store.users import api_key

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
    "beside",
]
