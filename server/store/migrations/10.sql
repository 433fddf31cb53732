CREATE TABLE logins (
    token_hash TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;
