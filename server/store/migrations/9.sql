CREATE TABLE client_lines (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    file TEXT NOT NULL,
    client TEXT NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    line INTEGER NOT NULL,
    PRIMARY KEY (run_id, file, client, first)
) WITHOUT ROWID;

CREATE TABLE new_metric_values (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    line INTEGER NOT NULL,
    number INTEGER NOT NULL,
    value REAL,
    PRIMARY KEY (run_id, line)
) WITHOUT ROWID;
INSERT INTO new_metric_values SELECT run_id, line, row_number() OVER (PARTITION BY run_id ORDER BY line), value
    FROM metric_values;
DROP TABLE metric_values;
ALTER TABLE new_metric_values RENAME TO metric_values;

ALTER TABLE suggestions ADD COLUMN reported_at REAL;

ALTER TABLE runs ADD COLUMN keys_counted INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET keys_counted = coalesce((SELECT max(line) + 1 FROM history WHERE run_id = runs.id), 0);

CREATE TABLE summaries_to_spread (run_id INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE);
INSERT INTO summaries_to_spread SELECT id FROM runs;

-- What filters see of configs and summaries is written anew by `formats`: it lacked lists, nulls and long texts.
