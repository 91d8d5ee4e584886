-- blob_part: $1 sha256, $2 part
SELECT bytes FROM pawl.plugin_blob_part WHERE sha256 = $1 AND part = $2
