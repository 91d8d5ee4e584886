-- plugin_known: which of these are versions that anybody knows. $1 sha256
SELECT sha256 FROM pawl.plugin_version WHERE sha256 = ANY ($1::text[])
UNION
SELECT sha256 FROM pawl.plugin_blob WHERE sha256 = ANY ($1::text[])
