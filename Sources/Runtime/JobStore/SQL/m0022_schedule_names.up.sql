-- A schedule can be told by its name: no two have the same.

-- Of those that share one, the oldest keeps it; the others get their numbers, until there is none of that name.
DO $$
DECLARE
    other record;
    wanted text;
BEGIN
    FOR other IN SELECT s.id, s.name FROM pawl.schedule s
        WHERE EXISTS (SELECT FROM pawl.schedule o WHERE o.name = s.name AND o.id < s.id) ORDER BY s.id
    LOOP
        wanted := other.name;
        LOOP
            wanted := wanted || ' (' || other.id || ')';
            EXIT WHEN NOT EXISTS (SELECT FROM pawl.schedule o WHERE o.name = wanted);
        END LOOP;
        UPDATE pawl.schedule SET name = wanted, revision = revision + 1 WHERE id = other.id;
    END LOOP;
END
$$;
CREATE UNIQUE INDEX schedule_name ON pawl.schedule (name);
