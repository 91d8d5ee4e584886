-- rules_wake: tells all hosts that there may be more to claim in these queues ('*': in any). $1 queues
SELECT pg_notify('pawl_wake', q) FROM unnest($1::text[]) AS q
