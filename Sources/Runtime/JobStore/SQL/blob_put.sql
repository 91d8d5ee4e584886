-- blob_put: one part. Whoever writes the same version at the same time writes the same. $1 sha256, $2 part, $3 bytes
INSERT INTO pawl.plugin_blob_part (sha256, part, bytes) VALUES ($1, $2, $3) ON CONFLICT (sha256, part) DO NOTHING
