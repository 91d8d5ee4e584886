-- safety_snapshot: who holds back the cleaning of dead rows in this database for longest.
SELECT round(extract(epoch FROM clock_timestamp() - xact_start) * 1000)::bigint,
    concat_ws(' ', nullif(application_name, ''), usename, 'pid', pid)
FROM pg_stat_activity
WHERE datname = current_database() AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
    AND backend_type = 'client backend'
ORDER BY xact_start LIMIT 1
