-- A schedule can be told by its name: no two have the same.

-- Of those that share one, the oldest keeps it.
UPDATE pawl.schedule s SET name = s.name || ' (' || s.id || ')', revision = s.revision + 1
WHERE EXISTS (SELECT FROM pawl.schedule o WHERE o.name = s.name AND o.id < s.id);
CREATE UNIQUE INDEX schedule_name ON pawl.schedule (name);
