-- Lowest, highest and last number of each key of history. Of what was counted before nothing is known: NULL.
ALTER TABLE history_keys ADD COLUMN low REAL;
ALTER TABLE history_keys ADD COLUMN high REAL;
ALTER TABLE history_keys ADD COLUMN last REAL;
