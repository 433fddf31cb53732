ALTER TABLE artifacts ADD COLUMN distributed_id TEXT;
