-- schedule_next: when the next schedule is due.
SELECT next_at FROM pawl.schedule WHERE enabled AND next_at IS NOT NULL ORDER BY next_at LIMIT 1
