"""A stand-in for a host, for tests of what the client prints and the page draws.

It answers the paths that they use from a script (`Host.runs`, `Host.overview`, …), notes every request, and knows nothing
of running jobs. What a real host answers is tested against a real host (Tests/seeds, scripts/demo).
"""

import json
import pathlib
import re
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ASSETS = pathlib.Path(__file__).resolve().parents[2] / "Sources/Host/Dashboard/assets"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)


def run_id(number: int) -> str:
    digits = ""
    for _ in range(13):
        digits = ALPHABET[number & 31] + digits
        number >>= 5
    return "run_" + digits


def stamp(seconds_ago: float = 0) -> str:
    time_ = datetime.now(timezone.utc) - timedelta(seconds=seconds_ago)
    return time_.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def make_run(number: int, job: str = "csv.to_jsonl", state: str = "queued", **changes) -> dict:
    run = {
        "id": run_id(number), "number": number, "job": job, "title": None, "state": state, "queue": "default",
        "priority": 0, "attempt": 0, "attempts_used": 0, "max_attempts": 3, "created_at": stamp(5), "run_at": stamp(5),
        "started_at": None, "finished_at": None, "progress": None, "error": None, "outcome": None, "reason": None,
        "host": None, "labels": {}, "args": {}, "result": None,
    }
    run.update(changes)
    return run


def progress(current, total=None, stage="Converting", unit="rows", **more):
    percent = None if total is None else 100 * current / total
    line = f"{stage} ({current:,} / {total:,})" if total else f"{stage} ({current:,} processed)"
    return {"stage": stage, "current": current, "total": total, "unit": unit, "percent": percent, "line": line,
            "message": more.pop("message", None), "counters": more.pop("counters", {})}


class Host:
    """The script, and what was asked."""

    def __init__(self):
        self.health = {"verdict": "ok", "checks": [{"name": "database", "ok": True, "detail": "answers"}]}
        self.token = "pawl_secret"
        self.lock = threading.Lock()
        self.runs = {}
        self.steps = {}
        self.attempts = {}
        self.logs = {}
        self.follow = {}
        self.schedules = []
        self.plugins = []
        self.plugin_details = {}
        self.plugin_changes = {}
        self.uploads = "token"
        self.versions = {}
        self.explanations = {}
        self.diagnosis = {}
        self.quarantines = []
        self.crashes = []
        self.jobs = {}
        self.requests = []
        self.answers = {}
        self.overview_changes = {}
        self.next_number = 100
        self.fail_next = 0
        self.new_run_steps = None
        self.version = 1

    def add(self, run, *steps, attempts=(), logs=()):
        """A run; each further look at it shows the next of `steps`, the last one for ever."""
        self.runs[run["id"]] = run
        self.steps[run["id"]] = list(steps)
        self.attempts[run["id"]] = list(attempts)
        self.logs[run["id"]] = list(logs)
        return run

    def look(self, id_):
        with self.lock:
            run = self.runs.get(id_)
            if run is not None and self.steps.get(id_):
                run.update(self.steps[id_].pop(0))
            return run

    def sent(self, method, path):
        return [body for m, p, body, _ in self.requests if m == method and urlsplit(p).path == path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    @property
    def host(self) -> Host:
        return self.server.host

    def answer(self, status, value=None, headers=(), raw=None, content_type="application/json"):
        body = raw if raw is not None else b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json" if status >= 400 and raw is None else content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def problem(self, status, code, detail, **more):
        self.answer(status, {"type": f"https://example.invalid/{code}", "title": code, "status": status, "code": code,
                             "detail": detail, "request_id": "req_1", **more})

    def handle_any(self):
        if self.server.closing:
            # A connection that outlives the server: cut, as a host that is gone would.
            self.close_connection = True
            return
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        isFile = self.headers.get("Content-Type") == "application/octet-stream"
        body = text if isFile else json.loads(text) if text else None
        self.host.requests.append((self.command, self.path, body, dict(self.headers)))
        url = urlsplit(self.path)
        path = url.path
        query = parse_qs(url.query)
        if not path.startswith("/api/"):
            return self.asset(path)
        if self.headers.get("Authorization") != f"Bearer {self.host.token}" and "pawl=1" not in self.headers.get("Cookie", ""):
            return self.problem(401, "invalid_token", "The token is not known.")
        if self.host.fail_next > 0:
            self.host.fail_next -= 1
            return self.problem(503, "database_unavailable", "The database does not answer.")
        scripted = self.host.answers.get((self.command, path))
        if scripted:
            status, value = scripted if not callable(scripted) else scripted(body)
            if status >= 400:
                return self.answer(status, value)
            return self.answer(status, value)
        return self.route(path.removeprefix("/api/v1"), query, body)

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = handle_any

    def asset(self, path):
        name = "index.html" if path == "/" else path.removeprefix("/assets/")
        file = ASSETS / name
        if "/" in name or not file.is_file():
            return self.problem(404, "not_found", "No such page.")
        types = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
        self.answer(200, raw=file.read_bytes(), content_type=types[file.suffix],
                    headers=[("Content-Security-Policy", CSP), ("Set-Cookie", "pawl=1; SameSite=Strict")])

    def route(self, path, query, body):
        host = self.host
        if path == "/runs" and self.command == "POST":
            return self.create(body)
        if path == "/runs":
            wanted = query.get("state", [])
            items = [r for r in sorted(host.runs.values(), key=lambda r: -r["number"]) if not wanted or r["state"] in wanted]
            items = items[: int(query.get("limit", ["50"])[0])]
            return self.answer(200, {"items": items, "next_cursor": None, "as_of": stamp()})
        if match := re.fullmatch(r"/runs/(run_[0-9a-z]{13})(/\w+)?", path):
            return self.one_run(match[1], match[2] or "", query, body)
        if path == "/schedules" and self.command == "POST":
            schedule = {"id": f"sch_{len(host.schedules) + 1}", "enabled": True, "next_at": stamp(-60), **body}
            host.schedules.append(schedule)
            return self.answer(201, schedule)
        if match := re.fullmatch(r"/schedules/(sch_\d+)", path):
            found = [s for s in host.schedules if s["id"] == match[1]]
            if not found:
                return self.problem(404, "schedule_not_found", "There is no such schedule.")
            if self.command == "DELETE":
                if self.headers.get("If-Match") != '"v1"':
                    return self.problem(428, "precondition_required", "If-Match is needed.")
                host.schedules.remove(found[0])
                return self.answer(204)
            return self.answer(200, found[0], headers=[("ETag", '"v1"')])
        if path == "/safety/cleanup-stale":
            stale = [r for r in host.runs.values() if r["state"] == "running"]
            if body.get("dry_run"):
                return self.answer(200, {"plan": "pln_1", "count": len(stale), "sample": stale[:10]})
            for run in stale:
                run.update(state="cancelled", outcome="terminated", finished_at=stamp())
            return self.answer(200, {"count": len(stale)})
        if path == "/overview":
            return self.overview()
        if match := re.fullmatch(r"/quarantines/([^/]+)/([^/]+)/lift", path):
            found = [q for q in host.quarantines if q["handler"] == match[1] and q["version"].startswith(match[2])]
            if not found:
                return self.problem(404, "quarantine_not_found", f"There is no quarantine {match[1]} {match[2]}.")
            host.quarantines.remove(found[0])
            host.version += 1
            return self.answer(200, {"changed": True, "quarantine": found[0]})
        if match := re.fullmatch(r"/plugins/versions/([0-9a-f]+)/(bytes|configuration)", path):
            content = host.versions.get(match[1], {}).get(match[2])
            if content is None:
                return self.problem(404, "version_not_found", "There is no such version.")
            return self.answer(200, raw=content, content_type="application/octet-stream")
        if match := re.fullmatch(r"/plugins/([^/]+)(/.*)?", path):
            return self.plugin(unquote(match[1]), match[2] or "", query, body)
        if match := re.fullmatch(r"/jobs/([^/]+)/schema", path):
            job = host.jobs.get(match[1])
            if job is None:
                return self.problem(404, "job_not_found", f"There is no job {match[1]}.")
            return self.answer(200, {"job": match[1], "args": job.get("args_schema"), "result": job.get("result_schema")})
        if match := re.fullmatch(r"/jobs/([^/]+)(/settings)?", path):
            job = host.jobs.get(match[1])
            if job is None:
                return self.problem(404, "job_not_found", f"There is no job {match[1]}.")
            if match[2] and self.headers.get("If-Match") != '"j1"':
                return self.problem(412, "etag_mismatch", "The job was changed meanwhile.")
            return self.answer(200, job, headers=[("ETag", '"j1"')])
        if match := re.fullmatch(r"/error-groups/(\w+)", path):
            found = [c for c in host.crashes if c["fingerprint"] == match[1]]
            return self.answer(200, found[0]) if found else self.problem(404, "error_group_not_found", "There is none.")
        lists = {"/schedules": host.schedules, "/plugins": host.plugins, "/schedules/due": host.schedules,
                 "/quarantines": host.quarantines, "/error-groups": host.crashes}
        if path in lists:
            return self.answer(200, {"items": lists[path]})
        return self.problem(404, "not_found", f"There is no {path}.")

    def create(self, body):
        host = self.host
        if body["job"] == "csv.to_json":
            return self.problem(404, "job_not_found", 'There is no job "csv.to_json".', near_matches=["csv.to_jsonl"],
                                errors=[{"pointer": "/job", "code": "job_not_found", "detail": "unknown job"}])
        number = host.next_number
        host.next_number += 1
        run = make_run(number, body["job"], args=body.get("args", {}))
        for name in ("queue", "priority", "title", "labels"):
            if name in body:
                run[name] = body[name]
        host.add(run, *(host.new_run_steps or []), logs=host.logs.get("new", []))
        return self.answer(201, run, headers=[("Location", f"/api/v1/runs/{run['id']}")])

    def one_run(self, id_, part, query, body):
        host = self.host
        run = host.look(id_) if part == "" else host.runs.get(id_)
        if run is None:
            return self.problem(404, "run_not_found", f"There is no run {id_}.")
        if part == "":
            return self.answer(200, run)
        if part == "/explain":
            explanation = host.explanations.get(id_, {
                "cause": run["state"], "attempt_cause": None, "summary": f"It is {run['state']}.", "because": "So it is.",
                "evidence": [], "next": [{"command": f"pawl show {id_}", "why": "all of it"}]})
            return self.answer(200, {"run": id_, "job": run["job"], "state": run["state"], "outcome": run["outcome"],
                                     "reason": run["reason"], "explanation": explanation})
        if part in ("/freeze", "/thaw", "/extend", "/niceness", "/diagnostics"):
            return self.live(run, part[1:], body)
        if part == "/attempts":
            return self.answer(200, {"items": host.attempts.get(id_, [])})
        if part == "/logs":
            if "follow" in query:
                return self.stream(host.follow.get(id_, host.logs.get(id_, [])))
            lines = host.logs.get(id_, [])
            if "tail" in query:
                lines = lines[-int(query["tail"][0]):]
            if "from" in query:
                lines = [line for line in lines if line["seq"] >= int(query["from"][0])]
            return self.answer(200, {"items": lines[: int(query.get("limit", ["500"])[0])]})
        if part in ("/cancel", "/terminate"):
            if run["state"] in ("succeeded", "failed", "cancelled"):
                return self.problem(409, "run_finished", "The run has finished.", current_state=run["state"])
            if run["state"] != "running":
                run.update(state="cancelled", finished_at=stamp())
            return self.answer(202, run)
        if part == "/retry":
            new = make_run(host.next_number, run["job"], retry_of=id_)
            host.next_number += 1
            host.add(new, *(host.new_run_steps or []))
            return self.answer(201, {"new_run_id": new["id"], "mode": "new"})
        return self.problem(404, "not_found", "No such part.")

    def plugin(self, name, part, query, body):
        host = self.host
        if part == "/versions" and self.command == "POST":
            if host.uploads == "off":
                return self.problem(403, "uploads_off", "This host takes no plugins over HTTP (serve --uploads).")
            state = "staged" if query.get("activate") == ["false"] else "canary" if "canary_percent" in query else "active"
            answer = {"plugin": name, "version": "ee" * 32, "label": "2.0", "state": state, "changed": True, "problems": [], "detail": None}
            answer.update(host.plugin_changes.get("upload", {}))
            host.version += 1
            return self.answer(202 if answer["state"] == "held" else 201, answer)
        detail = host.plugin_details.get(name)
        if detail is None:
            return self.problem(404, "plugin_not_found", f"There is no plugin {name}.", near_matches=list(host.plugin_details))
        tag = f'"{detail["revision"]}-x"'
        if part == "":
            if self.headers.get("If-None-Match") == tag:
                return self.answer(304, headers=[("ETag", tag)])
            return self.answer(200, detail, headers=[("ETag", tag)])
        if part == "/events":
            return self.answer(200, {"items": detail["events"][: int(query.get("limit", ["50"])[0])]})
        if self.headers.get("If-Match") != tag:
            return self.problem(412, "etag_mismatch", "The plugin was changed meanwhile. Look at it again.")
        if refusal := host.plugin_changes.get(part[1:]):
            return self.answer(refusal["status"], refusal)
        detail["revision"] += 1
        host.version += 1
        if self.command == "DELETE":
            detail["versions"] = [v for v in detail["versions"] if not part.endswith(v["version"])]
            return self.answer(204)
        if part == "/activate":
            detail.update(previous=detail["active"], held=None,
                          active=next(v["version"] for v in detail["versions"] if v["version"].startswith(body["version"])))
        if part == "/rollback":
            detail.update(active=detail["previous"], previous=None)
        if part in ("/disable", "/enable"):
            detail["disabled"] = part == "/disable"
        if part in ("/pin", "/unpin"):
            detail["pinned"] = part == "/pin"
        if part == "/canary":
            detail["canary"] = {"version": body["version"], "percent": body.get("percent"), "runs": body.get("runs"), "minimum_runs": 20,
                                "crash_percent_bound": body.get("crash_percent_bound", 1), "seen": {"runs": 0, "crashed": 0}}
        return self.answer(200, {"changed": True, "plugin": detail}, headers=[("ETag", f'"{detail["revision"]}-x"')])

    def live(self, run, verb, body):
        if run["state"] != "running":
            return self.problem(409, "not_running", "The run does not run now.", current_state=run["state"])
        if verb == "diagnostics":
            return self.answer(200, {"run": run["id"], "attempt": 1, "taken_at": stamp(), "diagnosis": self.host.diagnosis})
        changed = True
        if verb in ("freeze", "thaw"):
            changed = run.get("frozen", False) != (verb == "freeze")
            run["frozen"] = verb == "freeze"
        more = {"deadline_at": body.get("until", "2026-11-21T18:00:00Z")} if verb == "extend" else {}
        if verb == "niceness":
            more = {"niceness": body["niceness"]}
        self.host.version += 1
        return self.answer(200, {"changed": changed, "run": run, **more})

    def stream(self, lines):
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for line in lines:
            if isinstance(line, (int, float)):
                time.sleep(line)
                continue
            self.wfile.write((json.dumps(line) + "\n").encode())
            self.wfile.flush()

    def overview(self):
        host = self.host
        tag = f'"{host.version}"'
        if self.headers.get("If-None-Match") == tag:
            self.send_response(304)
            self.send_header("ETag", tag)
            self.end_headers()
            return
        runs = sorted(host.runs.values(), key=lambda r: -r["number"])
        for run in runs:
            run["log_tail"] = host.logs.get(run["id"], [])[-3:]
        states = ["scheduled", "queued", "running", "retrying", "succeeded", "failed", "cancelled"]
        self.answer(200, {
            "now": stamp(), "host": {"name": "demo-host", "version": "0.1.0", "slots": 16, "uploads": host.uploads},
            "running": [r for r in runs if r["state"] == "running"],
            "recent": [r for r in runs if r["state"] != "running"],
            "schedules": host.schedules, "plugins": host.plugins, "quarantines": host.quarantines, "crashes": host.crashes,
            "queues": [{"name": "default", "counts": {s: sum(r["state"] == s for r in runs) for s in states}, "paused": False}],
            "health": host.health,
            "counts": {s: sum(r["state"] == s for r in runs) for s in states}, **host.overview_changes,
        }, headers=[("ETag", tag)])


class Running:
    """A fake host on a free port of the loopback, for a `with` block."""

    def __init__(self, host=None):
        self.host = host or Host()

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.host = self.host
        self.server.closing = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.closing = True
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
