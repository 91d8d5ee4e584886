-- blob_begin: the bytes of a version will come. $1 sha256, $2 size, $3 parts, $4 configuration
INSERT INTO pawl.plugin_blob AS b (sha256, size_bytes, parts, configuration) VALUES ($1, $2, $3, $4)
-- Touched, so that nobody takes it away as unused before the row that uses it is there.
ON CONFLICT (sha256) DO UPDATE SET stored_at = now()
RETURNING size_bytes, parts, complete
