-- blob_present: which parts are there. $1 sha256
SELECT part FROM pawl.plugin_blob_part WHERE sha256 = $1 ORDER BY part
