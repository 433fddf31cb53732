-- Types of artifacts, which outlive their collections.
CREATE TABLE artifact_types (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (project_id, name)
);
INSERT INTO artifact_types (project_id, name, created_at)
    SELECT project_id, type, min(created_at) FROM collections GROUP BY project_id, type ORDER BY min(id);
