"""Fixtures of the fault tests: a host per profile for all of them, and the check after each.

`host` is up for the whole session, in both profiles one after the other. A test that kills or starves its host gets one of
its own from `own_host`. After every test the invariants are looked at (invariants.py).
"""

import shutil
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from invariants import Ledger, Watch, has_cgroup_profile, instance_group  # noqa: E402
from pawl_cluster import Cluster  # noqa: E402
from pawl_host import BIN, Host, scratch_directory  # noqa: E402
from pawl_processes import descendants, still_alive, until  # noqa: E402

# SIGTERM leaves neither hosts nor databases behind, as Ctrl-C does.
signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM", 143))

PLUGINS = ["plugins/mischief.so", "fixtures/swift-ways.so", "fixtures/reuse.so", "fixtures/talker.so", "fixtures/cpp_throw.so",
           "fixtures/swift-dynamic.so"]


def plugin_directory(place, names=PLUGINS):
    place.mkdir()
    for name in names:
        shutil.copy(BIN / name, place)
    return place


class FaultHost(Host):
    """A host with what the fault tests ask of it again and again."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.profile = self.ledger = None
        self.set_here = {}

    def settings(self, job, **members):
        """Sets what the operator says about a job: limits={…}, execution={…}. Null takes a member back."""
        revision = self.request("GET", f"/api/v1/jobs/{job}").headers["ETag"]
        for part, values in members.items():
            self.set_here.setdefault(job, {}).setdefault(part, set()).update(values)
        return self.expect("PATCH", f"/api/v1/jobs/{job}/settings", members, headers={"If-Match": revision})

    def take_settings_back(self):
        for job, parts in list(self.set_here.items()):
            self.settings(job, **{part: dict.fromkeys(names) for part, names in parts.items()})
        self.set_here.clear()

    def never_quarantine(self):
        """These tests crash on purpose, again and again; what a quarantine does is tested elsewhere."""
        for job in self.get("/api/v1/jobs")["items"]:
            self.settings(job["name"], execution={"quarantine": False})
        self.set_here.clear()

    def limits(self, job, **limits):
        return self.settings(job, limits=limits)

    def end_of(self, job, args=None, bound=60, **more):
        """Runs it once; its attempt."""
        more.setdefault("attempts", 1)
        run = self.run(job, args, **more)
        self.wait_state(run, bound=bound)
        attempts = self.attempts(run)
        assert len(attempts) == 1, attempts
        return {**attempts[0], "run_id": run}

    def started(self, job, args=None, **more):
        """Starts it and waits until its handler runs; id and pid."""
        more.setdefault("attempts", 1)
        run = self.run(job, args, **more)
        return run, self.until(f"/api/v1/runs/{run}", lambda r: r["state"] == "running" and r["pid"], f"the start of {job}")["pid"]

    def said(self, run, words):
        self.until(f"/api/v1/runs/{run}/logs", lambda page: any(words in (line["message"] or "") for line in page["items"]),
                   f"the log line '{words}'")

    def terminate(self, run, grace_ms=0):
        return self.expect("POST", f"/api/v1/runs/{run}/terminate", {"grace_ms": grace_ms})

    def cancel(self, run, **more):
        return self.expect("POST", f"/api/v1/runs/{run}/cancel", more)


@pytest.fixture(scope="session")
def place():
    with scratch_directory() as path:
        yield path


@pytest.fixture(scope="session")
def cluster(place):
    cluster = Cluster(place / "cluster", settings="-c fsync=off -c max_connections=300")
    yield cluster
    cluster.remove()


def make_host(place, cluster, profile, name, arguments=(), **options):
    if profile == "cgroup" and not has_cgroup_profile():
        pytest.skip("no writable cgroup v2 here")
    database = name.replace("-", "_")
    options.setdefault("plugins", place / "plugins" if (place / "plugins").exists() else plugin_directory(place / "plugins"))
    host = FaultHost(place / name, database_url=cluster.create(database), arguments=["--isolation", profile, *arguments], **options)
    host.profile, host.ledger = profile, Ledger(cluster, database)
    return host


@pytest.fixture(scope="session", params=["cgroup", "none"])
def session_host(request, place, cluster):
    host = make_host(place, cluster, request.param, f"session-{request.param}")
    try:
        host.start()
        host.never_quarantine()
        for job in ("mischief.noop", "ways.async", "reuse.noop", "fixture.talk", "cpp.returns", "dynamic.tasks"):
            host.end_of(job)  # Every zygote has served, every connection is up.
        yield host
    finally:
        host.end()


@pytest.fixture
def host(session_host):
    """The host of the profile; afterwards everything is as it was."""
    watch = Watch(session_host, session_host.ledger)
    yield session_host
    left = watch.end_all()
    session_host.take_settings_back()
    watch.check()
    assert not left, f"the test left {left} runs"


@pytest.fixture(params=["cgroup", "none"])
def own_host(request, place, cluster):
    """Makes hosts that may be hurt: own_host(arguments=…, start=True). The check is made with the host's end."""
    hosts = []

    def make(start=True, **options):
        host = make_host(place, cluster, request.param, f"own-{request.param}-{make.count}", **options)
        make.count += 1
        hosts.append(host)
        return host.start() if start else host

    make.count = own_host_count(place)
    make.profile = request.param
    yield make
    left = {}
    for host in hosts:
        alive = host.process is not None and host.process.poll() is None
        tree, group = (descendants(host.process.pid), instance_group(host)) if alive else ({}, None)
        host.end()
        try:
            until(lambda: not still_alive(tree), 10, "nothing below a host that has ended")
        except AssertionError:
            left |= still_alive(tree)
        assert group is None or not group.exists(), f"{group} is left"
        shutil.rmtree(host.data, ignore_errors=True)
    assert not left, f"left behind: {left}"


def own_host_count(place):
    return len(list(place.glob("own-*.log")))
