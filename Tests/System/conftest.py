"""Fixtures of the system tests: the built host, driven over HTTP and signals, on loopback only.

Every process that a test starts is ended by its id. Nothing here waits for time where an event can be awaited: `until`
polls a condition and fails with its last value when its bound is over.
"""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import BIN, ROOT, TERMINAL, Host, free_port, scratch_directory  # noqa: E402, F401  (the tests import them from here)
from pawl_processes import descendants, still_alive, until  # noqa: E402, F401


@pytest.fixture
def scratch():
    with scratch_directory() as path:
        yield path


@pytest.fixture
def host_factory(scratch):
    hosts = []

    def make(name="host", **options):
        host = Host(scratch / name, **options)
        hosts.append(host)
        return host

    yield make
    for host in hosts:
        host.end()


@pytest.fixture(scope="session")
def host():
    """One host with an embedded PostgreSQL for all tests that do it no harm."""
    with scratch_directory() as path:
        host = Host(path / "host")
        try:
            yield host.start()
        finally:
            host.end()


@pytest.fixture
def cluster(scratch):
    cluster = Cluster(scratch / "cluster")
    yield cluster
    cluster.remove()
