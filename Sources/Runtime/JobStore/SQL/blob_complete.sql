-- blob_complete: all parts are there, together as long as was said; tells those who wait for it. $1 sha256
WITH whole AS (
    UPDATE pawl.plugin_blob b SET complete = true
    WHERE b.sha256 = $1 AND b.size_bytes = (SELECT sum(octet_length(p.bytes)) FROM pawl.plugin_blob_part p WHERE p.sha256 = $1)
        AND b.parts = (SELECT count(*) FROM pawl.plugin_blob_part p WHERE p.sha256 = $1)
    RETURNING b.sha256
)
SELECT sha256, pg_notify('pawl_plugin', coalesce((SELECT plugin FROM pawl.plugin_version WHERE sha256 = $1), ''))::text FROM whole
