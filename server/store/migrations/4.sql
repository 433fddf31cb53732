CREATE TABLE blob_entities (
    sha256 TEXT NOT NULL REFERENCES blobs ON DELETE CASCADE,
    entity TEXT NOT NULL,
    PRIMARY KEY (sha256, entity)
) WITHOUT ROWID;

INSERT OR IGNORE INTO blob_entities
    SELECT sha256, entity FROM run_files JOIN runs ON runs.id = run_id JOIN projects ON projects.id = project_id;
INSERT OR IGNORE INTO blob_entities
    SELECT artifact_entries.sha256, entity FROM artifact_entries JOIN artifacts ON artifacts.id = artifact_id
    JOIN collections ON collections.id = collection_id JOIN projects ON projects.id = project_id
    WHERE artifact_entries.sha256 IS NOT NULL;
INSERT OR IGNORE INTO blob_entities
    SELECT manifests.sha256, entity FROM manifests JOIN artifacts ON artifacts.id = artifact_id
    JOIN collections ON collections.id = collection_id JOIN projects ON projects.id = project_id
    WHERE manifests.sha256 IS NOT NULL;
