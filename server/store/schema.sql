-- Where each kind of data lies. Times are seconds since 1970. JSON columns hold the text that the client sent.
-- AUTOINCREMENT: clients hold ids, and one of something deleted must never come to mean something newer.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- People beside the folder's own user `local`, whose key lies in the file api-key.
CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,          -- also the entity that is theirs
    key_hash TEXT NOT NULL UNIQUE,      -- SHA-256 of the API key
    created_at REAL NOT NULL,
    key_id TEXT                         -- its first characters, to tell keys apart
);

CREATE TABLE rights (
    user_id INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    entity TEXT NOT NULL,
    role TEXT NOT NULL,                 -- owner | reader
    PRIMARY KEY (user_id, entity)
) WITHOUT ROWID;

-- Browsers that are logged in, and links that log in once. A key that is rotated or removed ends those opened with it.
CREATE TABLE logins (
    token_hash TEXT PRIMARY KEY,        -- SHA-256 of the token in the cookie or the link
    kind TEXT NOT NULL,                 -- session | link
    key_hash TEXT NOT NULL,             -- SHA-256 of the API key that it was opened with
    expires_at REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    entity TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    created_at REAL NOT NULL,
    UNIQUE (entity, name)
);

CREATE TABLE sweeps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    config TEXT NOT NULL,               -- YAML
    display_name TEXT,
    description TEXT,
    state TEXT NOT NULL,                -- PENDING RUNNING PAUSED FINISHED CANCELED
    seed INTEGER NOT NULL,
    controller TEXT,
    scheduler TEXT,
    prior_runs_filters TEXT,
    controller_run TEXT,                -- name of the run in which a local scheduler writes its log
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    UNIQUE (project_id, name)
);

CREATE TABLE agents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sweep_id INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE,
    host TEXT NOT NULL,
    created_at REAL NOT NULL,
    heartbeat_at REAL NOT NULL
);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,                 -- the id that the client shows
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
    started_at REAL,                    -- first seen by a client; NULL while it was only handed out
    heartbeat_at REAL NOT NULL,
    finished_at REAL,
    keys_counted INTEGER NOT NULL DEFAULT 0,        -- history_keys holds the keys of the lines below this one
    UNIQUE (project_id, name)
);
CREATE INDEX runs_by_sweep ON runs (sweep_id);
CREATE INDEX runs_by_agent ON runs (agent_id);
-- Lists of thousands of runs are filtered and ordered without reading their configs and summaries.
CREATE INDEX runs_listed ON runs
    (project_id, created_at, name, state, display_name, group_name, job_type, sweep_id, username, tags);
CREATE INDEX runs_alive ON runs (state) WHERE state IN ('running', 'pending', 'preempting');

-- Every value of config and summary under its dotted path, as `values.py` writes it, for filters and orders.
CREATE TABLE run_values (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    source TEXT NOT NULL,               -- config | summary | best: of a metric whose summary is its last value
    key TEXT NOT NULL,
    value,
    PRIMARY KEY (run_id, source, key)
) WITHOUT ROWID;

-- Runs whose present summary is not in run_values: it changes with every post, and is written there at the run's end.
CREATE TABLE summaries_to_spread (run_id INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE);

CREATE TABLE history (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    line INTEGER NOT NULL,
    step INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (run_id, line)
) WITHOUT ROWID;
CREATE INDEX history_by_step ON history (run_id, step);

-- Several clients of one run (mode="shared") each count their lines from 0: those from `first` on are the run's lines
-- from `line` on.
CREATE TABLE client_lines (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    file TEXT NOT NULL,                 -- history | system_metrics | console
    client TEXT NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    line INTEGER NOT NULL,
    PRIMARY KEY (run_id, file, client, first)
) WITHOUT ROWID;

CREATE TABLE history_keys (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    key TEXT NOT NULL,
    type TEXT NOT NULL,
    count INTEGER NOT NULL,
    low REAL,                           -- of finite numbers; NULL: unknown
    high REAL,
    last REAL,
    PRIMARY KEY (run_id, key, type)
) WITHOUT ROWID;

CREATE TABLE system_metrics (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    line INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (run_id, line)
) WITHOUT ROWID;

CREATE TABLE console (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    line INTEGER NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (run_id, line)
) WITHOUT ROWID;

-- A run's files. The bytes lie in blobs/ under their SHA-256.
CREATE TABLE blobs (
    sha256 TEXT PRIMARY KEY,
    md5 TEXT NOT NULL,                  -- base64, as W&B writes digests
    size INTEGER NOT NULL,
    created_at REAL NOT NULL            -- or when an upload was last told that it is here already
) WITHOUT ROWID;
CREATE INDEX blobs_by_md5 ON blobs (md5);

-- Who brought a blob: a digest alone gives nobody the content that another entity uploaded.
CREATE TABLE blob_entities (
    sha256 TEXT NOT NULL REFERENCES blobs ON DELETE CASCADE,
    entity TEXT NOT NULL,
    PRIMARY KEY (sha256, entity)
) WITHOUT ROWID;

CREATE TABLE run_files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    name TEXT NOT NULL,
    sha256 TEXT NOT NULL REFERENCES blobs,
    updated_at REAL NOT NULL,
    UNIQUE (run_id, name)
);
CREATE INDEX run_files_by_blob ON run_files (sha256);

-- Types outlive their collections.
CREATE TABLE artifact_types (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (project_id, name)
);

-- Sequences hold the versions that runs log; portfolios hold links to them.
CREATE TABLE collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- ArtifactSequence | ArtifactPortfolio
    description TEXT,
    next_version INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    UNIQUE (project_id, name)
);

CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    version INTEGER,                    -- given at commit
    state TEXT NOT NULL,                -- PENDING COMMITTED DELETED
    digest TEXT NOT NULL,
    digest_algorithm TEXT NOT NULL,
    client_id TEXT UNIQUE,
    description TEXT,
    metadata TEXT,
    ttl INTEGER,                        -- seconds; NULL: inherited
    run_id INTEGER REFERENCES runs ON DELETE SET NULL,
    history_step INTEGER,
    wanted_aliases TEXT NOT NULL DEFAULT '[]',
    manifest_id INTEGER,
    size INTEGER NOT NULL DEFAULT 0,
    created_at REAL NOT NULL,
    updated_at REAL NOT NULL,
    distributed_id TEXT                 -- under which several runs fill it together
);
CREATE INDEX artifacts_by_digest ON artifacts (collection_id, digest);
CREATE INDEX artifacts_by_run ON artifacts (run_id);

CREATE TABLE manifests (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    type TEXT NOT NULL,                 -- FULL | INCREMENTAL | PATCH
    base_artifact_id INTEGER,
    sha256 TEXT REFERENCES blobs,       -- NULL until it is uploaded
    UNIQUE (artifact_id, name, type)
);
CREATE INDEX manifests_by_blob ON manifests (sha256);

CREATE TABLE artifact_entries (
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    path TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    ref TEXT,
    sha256 TEXT REFERENCES blobs,       -- NULL for references
    PRIMARY KEY (artifact_id, path)
) WITHOUT ROWID;
CREATE INDEX artifact_entries_by_blob ON artifact_entries (sha256);

CREATE TABLE memberships (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    version INTEGER NOT NULL,
    created_at REAL NOT NULL,
    UNIQUE (collection_id, version)
);
CREATE INDEX memberships_by_artifact ON memberships (artifact_id);

CREATE TABLE aliases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    alias TEXT NOT NULL,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    UNIQUE (collection_id, alias)
);
CREATE INDEX aliases_by_artifact ON aliases (artifact_id);

CREATE TABLE artifact_uses (
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    used_as TEXT,
    PRIMARY KEY (artifact_id, run_id)
) WITHOUT ROWID;
CREATE INDEX artifact_uses_by_run ON artifact_uses (run_id);

-- Runs that logged an artifact which another run (artifacts.run_id) had logged before.
CREATE TABLE artifact_relogs (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    PRIMARY KEY (run_id, artifact_id)
) WITHOUT ROWID;
CREATE INDEX artifact_relogs_by_artifact ON artifact_relogs (artifact_id);

CREATE TABLE tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    owner TEXT NOT NULL,                -- artifact | collection
    owner_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (owner, owner_id, name)
);

-- What a sweep decided: each configuration in the order of suggestion, with the run it became.
CREATE TABLE suggestions (
    sweep_id INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
    number INTEGER NOT NULL,
    run_id INTEGER NOT NULL UNIQUE REFERENCES runs ON DELETE CASCADE,
    params TEXT NOT NULL,
    origin TEXT NOT NULL,               -- server | controller | scheduler
    schedule_id TEXT,
    handed_at REAL,
    handed_times INTEGER NOT NULL DEFAULT 0,    -- with the answer that is out now; 2 when it was repeated
    stop_reason TEXT,
    requeued INTEGER NOT NULL DEFAULT 0,        -- how often it went out again after a crash
    reported_at REAL,                           -- when its agent last said that it has it
    PRIMARY KEY (sweep_id, number)
) WITHOUT ROWID;

-- The sweep's metric as its runs logged it, for early stopping.
CREATE TABLE metric_values (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    line INTEGER NOT NULL,
    number INTEGER NOT NULL,            -- how many values there were by then
    value REAL,                         -- NULL: it was NaN
    PRIMARY KEY (run_id, line)
) WITHOUT ROWID;

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    severity TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE INDEX alerts_by_run ON alerts (run_id);

CREATE TABLE views (
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
CREATE INDEX views_by_project ON views (project_id);
