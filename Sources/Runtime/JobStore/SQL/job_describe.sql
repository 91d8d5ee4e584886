-- job_describe: a job was changed; $1 name, $2 its new description (null: as it is)
UPDATE pawl.job SET description = coalesce($2, description), updated_at = now(), revision = revision + 1 WHERE name = $1
