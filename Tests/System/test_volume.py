"""Twenty thousand runs: none lost, none doubled."""

from conftest import until
from test_faults import enqueue_many


def test_twenty_thousand_noops(host_factory, cluster):
    host = host_factory(database_url=cluster.url).start()
    ids = []
    for _ in range(2):
        ids += enqueue_many(host, 10_000, "mischief.noop")
    assert len(set(ids)) == 20_000
    until(lambda: cluster.query("select count(*) from pawl.run") == "20000", 300, "20,000 finished runs")
    assert cluster.query("select state, count(*) from pawl.run group by 1") == "succeeded|20000"
    assert cluster.query("select count(*), count(distinct run_id), min(attempt), max(attempt) from pawl.attempt") \
        == "20000|20000|1|1"
    assert cluster.query("select count(distinct id) from pawl.run") == "20000"
    assert cluster.query("select count(*) from pawl.run_live") == "0"
