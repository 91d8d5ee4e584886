-- sleep_mark: this host wants to be notified. $1 host, $2 queues
INSERT INTO pawl.sleeper (queue, host_id) SELECT q, $1 FROM unnest($2::text[]) AS q ON CONFLICT DO NOTHING
