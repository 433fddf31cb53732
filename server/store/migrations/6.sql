CREATE INDEX runs_listed ON runs
    (project_id, created_at, name, state, display_name, group_name, job_type, sweep_id, username, tags);
