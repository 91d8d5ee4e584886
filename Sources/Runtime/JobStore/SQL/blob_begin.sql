-- blob_begin: the bytes of a version will come. $1 sha256, $2 size, $3 parts, $4 configuration, $5 signature
INSERT INTO pawl.plugin_blob AS b (sha256, size_bytes, parts, configuration, signature) VALUES ($1, $2, $3, $4, $5)
-- Touched, so that nobody takes it away as unused before the row that uses it is there.
ON CONFLICT (sha256) DO UPDATE SET stored_at = now(), signature = coalesce(excluded.signature, b.signature)
RETURNING size_bytes, parts, complete
