CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    key_hash TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL
);

CREATE TABLE rights (
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    entity TEXT NOT NULL,
    role TEXT NOT NULL,
    PRIMARY KEY (user_id, entity)
) WITHOUT ROWID;
