-- Ids that are never given out again need AUTOINCREMENT, which no ALTER TABLE adds: each table is copied.
-- Foreign keys are off during a step, so that dropping the old table deletes nothing elsewhere.

CREATE TABLE new_users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    key_hash TEXT NOT NULL UNIQUE,
    created_at REAL NOT NULL
);
INSERT INTO new_users SELECT id, name, key_hash, created_at
    FROM users;
DROP TABLE users;
ALTER TABLE new_users RENAME TO users;

CREATE TABLE new_projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    created_at REAL NOT NULL,
    UNIQUE (entity, name)
);
INSERT INTO new_projects SELECT id, entity, name, description, created_at
    FROM projects;
DROP TABLE projects;
ALTER TABLE new_projects RENAME TO projects;

CREATE TABLE new_sweeps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    config TEXT NOT NULL,
    display_name TEXT,
    description TEXT,
    state TEXT NOT NULL,
    seed INTEGER NOT NULL,
    controller TEXT,
    scheduler TEXT,
    prior_runs_filters TEXT,
    controller_run TEXT,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    UNIQUE (project_id, name)
);
INSERT INTO new_sweeps SELECT id, project_id, name, config, display_name, description, state, seed, controller, scheduler,
    prior_runs_filters, controller_run, created_at, updated_at
    FROM sweeps;
DROP TABLE sweeps;
ALTER TABLE new_sweeps RENAME TO sweeps;

CREATE TABLE new_agents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep_id INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    host TEXT NOT NULL,
    created_at REAL NOT NULL,
    heartbeat_at REAL NOT NULL
);
INSERT INTO new_agents SELECT id, sweep_id, name, host, created_at, heartbeat_at
    FROM agents;
DROP TABLE agents;
ALTER TABLE new_agents RENAME TO agents;

CREATE TABLE new_runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT,
    notes TEXT,
    group_name TEXT,
    job_type TEXT,
    tags TEXT NOT NULL DEFAULT '[]',
    commit_hash TEXT,
    host TEXT,
    program TEXT,
    repo TEXT,
    username TEXT NOT NULL,
    config TEXT NOT NULL DEFAULT '{}',
    summary TEXT NOT NULL DEFAULT '{}',
    state TEXT NOT NULL,
    exit_code INTEGER,
    sweep_id INTEGER REFERENCES sweeps ON DELETE SET NULL,
    agent_id INTEGER REFERENCES agents ON DELETE SET NULL,
    stop_requested_at REAL,
    created_at REAL NOT NULL,
    started_at REAL,
    heartbeat_at REAL NOT NULL,
    finished_at REAL,
    UNIQUE (project_id, name)
);
INSERT INTO new_runs SELECT id, project_id, name, display_name, description, notes, group_name, job_type, tags, commit_hash,
    host, program, repo, username, config, summary, state, exit_code, sweep_id, agent_id,
    stop_requested_at, created_at, started_at, heartbeat_at, finished_at
    FROM runs;
DROP TABLE runs;
ALTER TABLE new_runs RENAME TO runs;
CREATE INDEX runs_by_sweep ON runs (sweep_id);
CREATE INDEX runs_by_agent ON runs (agent_id);
CREATE INDEX runs_listed ON runs
    (project_id, created_at, name, state, display_name, group_name, job_type, sweep_id, username, tags);
CREATE INDEX runs_alive ON runs (state) WHERE state IN ('running', 'pending', 'preempting');

CREATE TABLE new_run_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL REFERENCES blobs,
    updated_at REAL NOT NULL,
    UNIQUE (run_id, name)
);
INSERT INTO new_run_files SELECT id, run_id, name, sha256, updated_at
    FROM run_files;
DROP TABLE run_files;
ALTER TABLE new_run_files RENAME TO run_files;
CREATE INDEX run_files_by_blob ON run_files (sha256);

CREATE TABLE new_collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    kind TEXT NOT NULL,
    description TEXT,
    next_version INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    UNIQUE (project_id, name)
);
INSERT INTO new_collections SELECT id, project_id, name, type, kind, description, next_version, created_at, updated_at
    FROM collections;
DROP TABLE collections;
ALTER TABLE new_collections RENAME TO collections;

CREATE TABLE new_artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    version INTEGER,
    state TEXT NOT NULL,
    digest TEXT NOT NULL,
    digest_algorithm TEXT NOT NULL,
    client_id TEXT UNIQUE,
    description TEXT,
    metadata TEXT,
    ttl INTEGER,
    run_id INTEGER REFERENCES runs ON DELETE SET NULL,
    history_step INTEGER,
    wanted_aliases TEXT NOT NULL DEFAULT '[]',
    manifest_id INTEGER,
    size INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    distributed_id TEXT
);
INSERT INTO new_artifacts SELECT id, collection_id, version, state, digest, digest_algorithm, client_id, description, metadata, ttl,
    run_id, history_step, wanted_aliases, manifest_id, size, created_at, updated_at, distributed_id
    FROM artifacts;
DROP TABLE artifacts;
ALTER TABLE new_artifacts RENAME TO artifacts;
CREATE INDEX artifacts_by_digest ON artifacts (collection_id, digest);
CREATE INDEX artifacts_by_run ON artifacts (run_id);

CREATE TABLE new_manifests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    type TEXT NOT NULL,
    base_artifact_id INTEGER,
    sha256 TEXT REFERENCES blobs,
    UNIQUE (artifact_id, name, type)
);
INSERT INTO new_manifests SELECT id, artifact_id, name, digest, type, base_artifact_id, sha256
    FROM manifests;
DROP TABLE manifests;
ALTER TABLE new_manifests RENAME TO manifests;
CREATE INDEX manifests_by_blob ON manifests (sha256);

CREATE TABLE new_memberships (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    version INTEGER NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (collection_id, version)
);
INSERT INTO new_memberships SELECT id, collection_id, artifact_id, version, created_at
    FROM memberships;
DROP TABLE memberships;
ALTER TABLE new_memberships RENAME TO memberships;
CREATE INDEX memberships_by_artifact ON memberships (artifact_id);

CREATE TABLE new_aliases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    alias TEXT NOT NULL,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    UNIQUE (collection_id, alias)
);
INSERT INTO new_aliases SELECT id, collection_id, alias, artifact_id
    FROM aliases;
DROP TABLE aliases;
ALTER TABLE new_aliases RENAME TO aliases;
CREATE INDEX aliases_by_artifact ON aliases (artifact_id);

CREATE TABLE new_tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,
    owner_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (owner, owner_id, name)
);
INSERT INTO new_tags SELECT id, owner, owner_id, name
    FROM tags;
DROP TABLE tags;
ALTER TABLE new_tags RENAME TO tags;

CREATE TABLE new_alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    severity TEXT NOT NULL,
    created_at REAL NOT NULL
);
INSERT INTO new_alerts SELECT id, run_id, title, text, severity, created_at
    FROM alerts;
DROP TABLE alerts;
ALTER TABLE new_alerts RENAME TO alerts;
CREATE INDEX alerts_by_run ON alerts (run_id);

CREATE TABLE new_views (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    type TEXT NOT NULL,
    name TEXT NOT NULL,
    display_name TEXT,
    description TEXT,
    spec TEXT NOT NULL,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL
);
INSERT INTO new_views SELECT id, project_id, type, name, display_name, description, spec, created_at, updated_at
    FROM views;
DROP TABLE views;
ALTER TABLE new_views RENAME TO views;
CREATE INDEX views_by_project ON views (project_id);

ALTER TABLE users ADD COLUMN key_id TEXT;
ALTER TABLE suggestions ADD COLUMN requeued INTEGER NOT NULL DEFAULT 0;
UPDATE suggestions SET requeued = max(handed_times - 1, 0), handed_times = min(handed_times, 1);
