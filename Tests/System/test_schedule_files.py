"""Definitions in files, calendars and crontabs on a real host: planned, applied, fired, pruned."""

from conftest import until


def test_a_state_is_planned_applied_fired_and_pruned(host, scratch):
    host.until("/api/v1/jobs", lambda jobs: any(j["name"] == "mischief.noop" for j in jobs["items"]), "the handler to appear")
    file = scratch / "state.yaml"
    text = """
calendars:
  applied-freeze: {dates: [1999-01-01]}
jobs:
  applied-job: {handler: mischief.noop, settings: {attempts: 2, queue: applied}}
queues:
  applied: {concurrency: 1}
schedules:
  applied-pulse: {job: applied-job, kind: interval, interval_ms: 1000, calendars: [applied-freeze]}
"""
    file.write_text(text)
    plan = host.command("plan", "-f", str(file))
    assert plan.returncode == 2, plan.stderr
    assert [line.split()[1:] for line in plan.stdout.splitlines() if line[0] in "+~-"] == [
        ["calendar", "applied-freeze"], ["queue", "applied"], ["job", "applied-job"], ["schedule", "applied-pulse"]]
    done = host.command("apply", "-f", str(file))
    assert done.returncode == 0, done.stderr
    assert host.command("plan", "-f", str(file)).returncode == 0
    until(lambda: any(r["state"] == "succeeded" for r in host.get("/api/v1/runs?job=applied-job")["items"]), what="a run of the schedule")
    # A day of the calendar, and it makes no more runs; its rows say why.
    file.write_text(text.replace("1999-01-01", "2000-01-01/2999-12-31"))
    assert host.command("apply", "-f", str(file)).returncode == 0
    until(lambda: host.get("/api/v1/schedules/applied-pulse/occurrences?limit=1")["items"][0]["reason"] == "calendar", what="a time that is left out")
    wrong = scratch / "wrong.yaml"
    wrong.write_text("schedules:\n  applied-pulse:\n    job: applied-jop\n    kind: cron\n    expression: '@daily'\n")
    refused = host.command("apply", "-f", str(wrong))
    assert refused.returncode == 65 and "wrong.yaml:3: schedules.applied-pulse.job:" in refused.stderr and "did you mean applied-job?" in refused.stderr
    file.write_text("schedules: {}\n")
    gone = host.command("apply", "-f", str(file), "--prune", "--yes")
    assert gone.returncode == 0 and gone.stdout.splitlines() == ["- schedule applied-pulse", "- calendar applied-freeze"], gone.stdout
    assert host.call("GET", "/api/v1/schedules/applied-pulse").status == 404
    until(lambda: host.call("DELETE", "/api/v1/jobs/applied-job?cascade=true", headers={"If-Match": "*"}).status == 200, what="the job to be removed")


def test_a_crontab_runs_as_it_did(host, scratch):
    host.until("/api/v1/jobs", lambda jobs: any(j["name"] == "shell.exec" for j in jobs["items"]), "the handler to appear")
    crontab = scratch / "crontab"
    crontab.write_text(f"GREETING=hello\n# Says it\n@daily cat > {scratch}/out; echo $GREETING >> {scratch}/out%input\n")
    plan = host.command("schedules", "import", str(crontab), "--dry-run")
    assert plan.returncode == 2 and plan.stdout.startswith("+ schedule cat-"), plan.stderr
    assert host.command("schedules", "import", str(crontab)).returncode == 0
    name = plan.stdout.split()[2]
    again = host.command("schedules", "import", str(crontab))
    assert again.returncode == 0 and "nothing to change" in again.stderr
    schedule = host.get(f"/api/v1/schedules/{name}")
    assert schedule["description"] == "Says it"
    run = host.wait_state(host.run("shell.exec", schedule["args"]))
    assert run["state"] == "succeeded", run
    assert (scratch / "out").read_text() == "input\nhello\n"
    exported = host.command("schedules", "export", "--format", "crontab", "--job", "shell.exec")
    assert f"@daily cat > {scratch}/out; echo $GREETING >> {scratch}/out%input\n" in exported.stdout
    shown = host.command("schedules", "show", name)
    assert shown.returncode == 0 and "Says it" in shown.stdout
    assert host.command("schedules", "pause", name, "--reason", "test").returncode == 0
    assert host.get(f"/api/v1/schedules/{name}")["pause_reason"] == "test"
    assert host.command("schedules", "delete", name).returncode == 0
