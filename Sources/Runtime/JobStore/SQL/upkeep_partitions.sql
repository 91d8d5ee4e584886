-- upkeep_partitions: makes partitions ahead and drops those whose time is over.
SELECT pawl.make_partitions(now()), pawl.drop_partitions(now())
