CREATE INDEX runs_by_agent ON runs (agent_id);
CREATE INDEX run_files_by_blob ON run_files (sha256);
CREATE INDEX manifests_by_blob ON manifests (sha256);
CREATE INDEX artifact_entries_by_blob ON artifact_entries (sha256);
CREATE INDEX alerts_by_run ON alerts (run_id);
CREATE INDEX views_by_project ON views (project_id);
