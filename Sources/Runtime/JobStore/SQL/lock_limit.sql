-- lock_limit: how long this transaction waits for others. $1 milliseconds
SELECT set_config('lock_timeout', $1, true)
