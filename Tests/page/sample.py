"""A host with something of everything, for looking at the page."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

from fake_host import Host, make_run, progress, run_id, stamp  # noqa: E402

HOSTILE = '<img src=x onerror="document.title=`owned`"> & \u202etxt.exe'


def line(seq, message, level="info", ago=3, **more):
    return {"seq": seq, "time": stamp(ago), "level": level, "stream": "handler", "stage": None, "message": message, **more}


DIAGNOSIS = {
    "last_progress": "Scanning (1,250 processed)", "position": {"file": "/src/etl.swift", "line": 12},
    "processes": [{"pid": 4003, "name": "mischief.deaf", "state": "sleeping", "cpu_ms": 1200, "rss_bytes": 4 << 20, "threads": [
        {"tid": 4003, "name": "mischief.deaf", "state": "sleeping", "wchan": "poll_schedule_timeout", "frames": [
            {"function": "poll", "module": "/lib/libc.so.6"}]},
        {"tid": 4004, "name": "pawl-worker", "state": "running", "frames": [
            {"function": "wait_for", "file": "/src/waiting.c", "line": 40}]}],
        "files": [{"fd": 3, "target": "/data/in.csv"}, {"fd": 4, "target": "tcp 127.0.0.1:5000 -> 127.0.0.1:6000"}]}]}


def plugin_detail() -> dict:
    """A plugin with everything: a version that serves, its predecessor, one that is held, a canary, and a host that drifted."""
    old, now, new = "11aa" * 16, "3f5a" * 16, "9d9d" * 16
    steps = [{"step": name, "at": stamp(60 - n / 10), "after_ms": after, "detail": None}
             for n, (name, after) in enumerate([("staged", None), ("verified", 12), ("warming", 31), ("active", 80)])]
    def version(sha, label, state, **more):
        return {"version": sha, "label": label, "state": state, "error": None, "kind": "native", "file": "csv.so", "size_bytes": 182_304,
                "source": "directory", "signed_by": None, "loaded_at": stamp(60), "runs": 1200, "failed": 3, "crashed": 0, "running": 2,
                "notes": [], "steps": steps, "handlers": [], **more}
    return {
        "name": "csv", "file": "csv.so", "kind": "native", "version": now, "label": "1.0.0", "state": "active", "error": None, "notes": [],
        "active": now, "previous": old, "disabled": False, "pinned": False, "revision": 7, "changed_at": stamp(60), "changed_by": "admin",
        "reason": "the fix for quoted fields", "origin_host": None, "drift": 1,
        "canary": {"version": "cafe" * 16, "percent": 5, "runs": None, "minimum_runs": 20, "crash_percent_bound": 1, "deadline_at": None,
                   "seen": {"runs": 120, "crashed": 2}},
        "held": {"version": new, "problems": [
            {"kind": "args_incompatible", "handler": "csv.to_jsonl", "where": 'schedule "nightly"', "words": "/header must be a boolean"},
            {"kind": "handler_removed", "handler": "csv.count", "where": "12 waiting runs", "words": "the version has no such handler"}]},
        "versions": [
            version(now, "1.0.0", "active", handlers=[
                {"name": "csv.to_jsonl", "description": "Converts CSV into JSON Lines.", "args_schema": {"type": "object"}, "quarantine": None},
                {"name": "csv.count", "description": HOSTILE, "args_schema": None, "quarantine": None}]),
            version(new, "2.0.0", "held", runs=0, running=0, steps=steps[:3]),
            version("cafe" * 16, "1.1.0", "canary", runs=120, crashed=2, source="upload", signed_by="k7xFsJ3h", kind="ffi", handlers=[
                {"name": f"csv.call_{n}", "description": "", "args_schema": {"type": "object"}, "unverified": n == 1, "quarantine": None}
                for n in range(8)]),
            version(old, "0.9.0", "retired", running=0, steps=[])],
        "changes": {"from": now, "to": new, "handlers": [
            {"handler": "csv.count", "kind": "removed", "breaking": True, "changes": []},
            {"handler": "csv.to_jsonl", "kind": "changed", "breaking": True, "changes": [
                {"of": "args", "pointer": "/properties/header", "words": "must be a boolean, was anything", "breaking": True},
                {"of": "args", "pointer": "/properties/quote", "words": HOSTILE, "breaking": False}]},
            {"handler": "csv.head", "kind": "added", "breaking": False, "changes": []}]},
        "hosts": [
            {"host": "host_1", "name": "demo-host", "host_state": "running", "this_host": True, "version": now, "state": "active", "error": None,
             "updated_at": stamp(3), "drift": False},
            {"host": "host_2", "name": "other-host", "host_state": "running", "this_host": False, "version": old, "state": "active",
             "error": "version `GLIBC_2.38' not found", "updated_at": stamp(4), "drift": True}],
        "events": [{"id": "2", "at": stamp(50), "kind": "held", "version": new, "label": "2.0.0", "host": "host_1", "host_name": "demo-host",
                    "detail": {"words": "2 things would break"}},
                   {"id": "1", "at": stamp(60), "kind": "active", "version": now, "label": "1.0.0", "host": "host_1", "host_name": "demo-host",
                    "detail": None}]}


def busy_host() -> Host:
    host = Host()
    host.plugin_details = {"csv": plugin_detail()}
    host.diagnosis = DIAGNOSIS
    host.quarantines = [{"handler": "mischief.abort", "version": "9c01" * 16, "since": stamp(90), "until": stamp(-30), "level": 1,
                         "crashes": 8, "attempts": 10, "reason": "8 of its last 10 attempts crashed", "on_trial": False}]
    host.crashes = [{"fingerprint": "9f2c41d07b3a5e88", "kind": "crash", "title": "SIGSEGV in write_to_nowhere (dying.c:15)",
                     "job": "mischief.segv", "count": 1250, "last_seen_at": stamp(200), "first_seen_at": stamp(4000),
                     "sample_run": run_id(1238), "sample_attempt": 3, "signal_name": "SIGSEGV"}]
    host.explanations[run_id(1238)] = {
        "cause": "crashed_signal", "attempt_cause": None, "summary": "It crashed with SIGSEGV in write_to_nowhere (dying.c:15).",
        "because": "A fault in the handler's code.",
        "evidence": [{"fact": "address", "text": "It touched address 0x0, which is a null pointer.", "value": "0x0"}],
        "next": [{"command": f"pawl replay {run_id(1238)} --gdb", "why": "stop where it crashed"}]}
    args_schema = {
        "type": "object", "required": ["path", "output"],
        "properties": {
            "path": {"type": "string", "description": "The file to read."},
            "output": {"type": "string", "description": "The file to write."},
            "delimiter": {"type": "string", "default": ",", "description": "One character between fields."},
            "names": {"type": "array", "items": {"type": "string"}, "description": "Names of the fields, if there is no header."},
            "header": {"type": "boolean"},
        },
    }
    host.plugins = [
        {"name": "csv", "file": "csv.so", "version": "3f5a" * 16, "label": "1.0.0", "state": "active", "error": None,
         "drift": 1, "held": host.plugin_details["csv"]["held"], "canary": host.plugin_details["csv"]["canary"], "disabled": False,
         "handlers": [{"name": "csv.to_jsonl", "description": "Converts CSV into JSON Lines.", "args_schema": args_schema}]},
        {"name": "mischief", "file": "mischief.so", "version": "9c01" * 16, "label": "1.0.0", "state": "active", "error": None,
         "handlers": [{"name": f"mischief.{n}", "description": "", "args_schema": None}
                      for n in ("noop", "sleep", "segv", "abort", "spin", "deaf", "escape", "flood", "hog", "exit", "fail")]},
        {"name": "", "file": "broken.so", "version": "77" * 32, "label": "", "state": "rejected", "handlers": [],
         "error": "dlopen: broken.so: undefined symbol: etl_load_v3"},
    ]
    host.schedules = [
        {"id": "sch_1", "name": "nightly import", "job": "csv.to_jsonl", "kind": "cron", "spec": {"expression": "30 2 * * *"}, "expression": "30 2 * * *",
         "timezone": "Europe/Berlin", "enabled": True, "next_at": stamp(-3600 * 5)},
        {"id": "sch_2", "name": "pulse", "job": "mischief.noop", "kind": "interval", "spec": {"every_ms": 30000}, "timezone": "UTC",
         "enabled": True, "next_at": stamp(-12)},
    ]
    host.add(make_run(1240, state="running", title="UnicodeData.txt", attempt=1, started_at=stamp(7),
                      progress=progress(21345, 34924, counters={"rows": 21345, "errors": 0}), host="demo-host"),
             attempts=[{"attempt": 1, "outcome": None, "started_at": stamp(7), "pid": 4242, "host": "demo-host", "version": "3f5a" * 16}],
             logs=[line(1, "reading /usr/share/unicode/UnicodeData.txt"), line(2, "15 fields"), line(3, "20,000 rows", ago=1)])
    host.add(make_run(1239, "mischief.deaf", "running", attempt=2, started_at=stamp(95), queue="bulk", host="demo-host",
                      progress=progress(1250, None, "Scanning", "files")),
             logs=[line(1, "SIGTERM ignored", "warning"), line(2, HOSTILE, "error")])
    host.add(make_run(1238, "mischief.segv", "failed", attempt=3, started_at=stamp(200), finished_at=stamp(199.2), outcome="crashed",
                      reason="signal", error={"code": "crashed", "message": "SIGSEGV at address 0x0"}, host="demo-host"),
             attempts=[{"attempt": n, "outcome": "crashed", "reason": "signal", "signal": 11, "started_at": stamp(230 - n * 10),
                        "ended_at": stamp(229.4 - n * 10), "pid": 4000 + n, "host": "demo-host", "version": "9c01" * 16,
                        "sentence": "The handler crashed: SIGSEGV at address 0x0.",
                        "mode": "fork", "error_group": "9f2c41d07b3a5e88",
                        "samples": [{"at_ms": ms, "cpu_ms": ms // 2, "rss_bytes": (4 + ms // 1000) << 20, "processes": 1, "threads": 2,
                                     "descriptors": 9} for ms in range(0, 5000, 1000)],
                        "leaks": {"processes": 2, "scratch_files": 1, "descriptors": 0, "threads": 0, "growth_bytes": 0, "restored": [],
                                  "recycled": None},
                        "last_lines": [{"message": "about to write to address 0", "level": "warning"}],
                        "diagnosis": None if n < 3 else DIAGNOSIS,
                        "crash": {"signal": 11, "address": "0x0", "thread_name": "pawl-worker", "frames": ["0x1234", "0x88"],
                                  "stack": None if n == 1 else [
                                      {"function": "write_to_nowhere", "file": "/src/dying.c", "line": 15, "words": "write_to_nowhere (dying.c:15)"},
                                      {"function": "mischief_segv", "file": "/src/dying.c", "line": 22, "inlined": True, "words": ""},
                                      {"module": "/lib/libc.so.6", "offset": "0x88", "words": "libc.so.6+0x88"}],
                                  "registers": {"rip": "0x1234", "rsp": "0x7ffe0000"}},
                        "resources": {"user_cpu_us": 1200, "system_cpu_us": 800, "max_rss_bytes": 4_100_096, "minor_faults": 120, "major_faults": 0}}
                       for n in (1, 2, 3)], logs=[line(1, "about to write to address 0", "warning")])
    host.add(make_run(1237, "text.stats", "retrying", title=HOSTILE, attempt=1, started_at=stamp(30), run_at=stamp(-20), outcome="error",
                      error={"code": "io", "message": "input.txt: No such file or directory"}))
    host.runs[run_id(1237)].update(parent=run_id(1240), follow_ups=[
        {"id": run_id(1235), "job": "csv.to_jsonl"}, {"id": run_id(1234), "job": HOSTILE}])
    host.add(make_run(1236, "mischief.spin", "cancelled", attempt=1, started_at=stamp(400), finished_at=stamp(391), outcome="terminated"))
    host.add(make_run(1235, "csv.to_jsonl", "scheduled", run_at=stamp(-600)))
    for number in range(1220, 1235):
        host.add(make_run(number, "csv.to_jsonl", "succeeded", attempt=1, started_at=stamp(3000 - number), finished_at=stamp(2998.7 - number),
                          outcome="succeeded", progress=progress(34924, 34924, counters={"rows": 34924}),
                          result={"rows": 34924, "bytes": 4120331}, args={"path": "/usr/share/unicode/UnicodeData.txt", "delimiter": ";"}))
    return host
