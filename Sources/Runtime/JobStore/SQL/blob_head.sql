-- blob_head: $1 sha256
SELECT size_bytes, parts, configuration, signature, complete FROM pawl.plugin_blob WHERE sha256 = $1
