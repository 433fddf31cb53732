"""SQLite: connections, rows, and the queries of clients as SQL."""
