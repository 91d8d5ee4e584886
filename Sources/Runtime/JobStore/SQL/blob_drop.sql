-- blob_drop: $1 sha256
DELETE FROM pawl.plugin_blob WHERE sha256 = $1
