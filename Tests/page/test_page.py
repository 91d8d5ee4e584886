"""The page in a real Chromium against a scripted host. Skipped, with a message, where there is no Chromium."""

import json
import pathlib
import sys
from urllib.parse import urlsplit

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cli"))

import chrome  # noqa: E402
import sample  # noqa: E402
from fake_host import Running, make_run, progress, run_id, stamp  # noqa: E402

pytestmark = pytest.mark.skipif(
    chrome.find() is None, reason="Chromium is not installed (Debian: apt-get install chromium); the page was not looked at")


@pytest.fixture(scope="module")
def browser():
    with chrome.Browser() as browser:
        yield browser


@pytest.fixture
def server():
    with Running(sample.busy_host()) as running:
        yield running


@pytest.fixture
def page(browser, server):
    browser.resize(1280, 900)
    browser.scheme("light")
    browser.events.clear()
    browser.open(server.url + "/")
    browser.until("document.querySelector('#live')?.dataset.state === 'live' && document.querySelectorAll('#running > li').length === 2")
    browser.mouse("mouseMoved", 1, 1)
    yield browser
    assert browser.complaints() == []
    browser.open("about:blank")


def change(server, function):
    with server.host.lock:
        function(server.host)
        server.host.version += 1


def sent(server, path):
    return [body for method, p, body, _ in server.host.requests if method != "GET" and urlsplit(p).path == "/api/v1" + path]


def test_it_shows_what_there_is(page):
    text = page.js("document.body.innerText")
    for words in ("csv.to_jsonl#1240", "UnicodeData.txt", "61 %", "Converting (21,345 / 34,924)", "rows 21,345", "20,000 rows",
                  "mischief.deaf#1239", "Scanning (1,250 processed)", "crashed (signal): SIGSEGV at address 0x0", "nightly import",
                  "30 2 * * * Europe/Berlin", "every 30 s", "undefined symbol: etl_load_v3", "rejected", "Everything is well."):
        assert words in text, words
    assert page.js("document.title") == "2 running – Pawl"
    bar = page.js("(() => { const b = document.querySelector('[role=progressbar]'); return [b.ariaLabel || b.getAttribute('aria-label'), b.getAttribute('aria-valuenow')] })()")
    assert bar == ["Progress of csv.to_jsonl#1240", "61"]


def test_text_from_outside_stays_text(page):
    assert page.js("document.querySelectorAll('main img').length") == 0
    assert "owned" not in page.js("document.title")
    assert "\u202e" not in page.js("document.body.innerText")
    assert "<img src=x" in page.js("document.body.innerText")


def test_nothing_is_inline(page):
    assert page.js("[...document.querySelectorAll('script')].every((s) => s.src && !s.textContent)")
    assert page.js("document.querySelectorAll('style, [onclick]').length") == 0


def test_a_quiet_host_costs_a_304(page, server):
    page.until("performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/overview')).length >= 3")
    looks = [headers for method, path, _, headers in server.host.requests if path == "/api/v1/overview"]
    assert "If-None-Match" not in looks[0] and looks[-1]["If-None-Match"] == '"1"'


def test_a_refresh_keeps_nodes_and_focus(page, server):
    page.js("window.kept = document.querySelector('#running > li'); kept.querySelector('button').focus()")
    change(server, lambda host: host.runs[run_id(1240)].update(progress=progress(34000, 34924)))
    page.until("document.querySelector('#running .words').textContent.includes('34,000')")
    assert page.js("kept === document.querySelector('#running > li') && document.activeElement === kept.querySelector('button')")


def test_a_growing_log_moves_nothing(page, server):
    places = "JSON.stringify([...document.querySelectorAll('.panel, .card, .tile')].map((e) => [e.offsetTop, e.offsetHeight]))"
    before = page.js(places)
    change(server, lambda host: host.logs[run_id(1240)].append(sample.line(4, "a much longer line " * 30, "warning")))
    page.until("document.body.innerText.includes('a much longer line')")
    assert page.js(places) == before


def test_new_runs_wait_while_the_list_is_in_use(page, server):
    page.js("document.querySelector('#recent .run-name').focus()")
    first = page.js("document.querySelector('#recent .run-name').textContent")
    change(server, lambda host: host.add(make_run(1300, "late.comer", "succeeded", started_at=stamp(1), finished_at=stamp(0))))
    page.until("!document.querySelector('#newer').hidden")
    assert page.js("document.querySelector('#newer').textContent") == "1 new – show"
    assert page.js("document.querySelector('#recent .run-name').textContent") == first
    page.click("#newer")
    page.until("document.querySelector('#recent .run-name').textContent === 'late.comer#1300'")


def test_the_filter_narrows_the_list(page):
    page.js("document.querySelector('#filter').focus()")
    page.type("segv")
    page.until("document.querySelectorAll('#recent > *').length === 1")
    page.click("#counts button:nth-child(5)")
    page.until("document.querySelectorAll('#recent > *').length === 15")


def test_run_dialog_by_keyboard_alone(page, server):
    page.js("document.querySelector('#new-run').focus()")
    page.press("Enter")
    page.until("document.querySelector('#run-dialog').open && document.activeElement.id === 'run-job'")
    page.js("document.querySelector('#run-job').value = 'csv.to_jsonl'; document.querySelector('#run-job').dispatchEvent(new Event('change'))")
    page.press("Tab")
    assert page.js("document.activeElement.id") == "arg-path"
    page.press("Enter")
    page.until("document.querySelector('#arg-path').getAttribute('aria-invalid') === 'true'")
    page.type("/data/in.csv")
    page.press("Tab")
    page.type("/data/out.jsonl")
    page.press("Tab")
    page.type(";")
    page.press("Tab")
    page.type("code\nname")
    page.js("document.querySelector('#arg-header').value = 'false'")
    page.js("document.querySelector('#arg-path').focus()")
    page.press("Enter")
    page.until("!document.querySelector('#run-dialog').open")
    assert sent(server, "/runs") == [{"job": "csv.to_jsonl", "args": {
        "path": "/data/in.csv", "output": "/data/out.jsonl", "delimiter": ";", "names": ["code", "name"], "header": False}}]
    page.until("document.querySelector('#toasts').innerText.includes('csv.to_jsonl#100 is queued.')")


def test_json_is_sent_digit_by_digit(page, server):
    page.click("#plugins .chip.more")
    page.until("document.querySelectorAll('#plugins .chip').length === 12")
    page.click("[aria-label='Run mischief.exit']")
    page.until("document.querySelector('#run-dialog').open")
    assert page.js("document.querySelector('#run-as-json').checked && document.querySelector('#run-as-json').disabled")
    page.js("document.querySelector('#run-json').value = '{\"ms\": 9007199254740993'")
    page.click("#run-form button[type=submit]")
    page.until("document.querySelector('#run-problem').textContent.includes('no JSON')")
    page.js("document.querySelector('#run-json').value = '{\"ms\": 9007199254740993}'")
    page.click("#run-form button[type=submit]")
    page.until("!document.querySelector('#run-dialog').open")
    assert sent(server, "/runs") == [{"job": "mischief.exit", "args": {"ms": 9007199254740993}}]


def test_a_refusal_is_read_where_it_arose(page, server):
    server.host.answers[("POST", "/api/v1/runs")] = (422, {
        "status": 422, "detail": "The arguments do not fit.", "errors": [{"pointer": "/args/path", "detail": "is no absolute path"}]})
    page.click("[aria-label='Run csv.to_jsonl']")
    page.until("document.querySelector('#run-dialog').open")
    page.js("document.querySelector('#arg-path').value = 'x'; document.querySelector('#arg-output').value = 'y'")
    page.click("#run-form button[type=submit]")
    page.until("!document.querySelector('#run-problem').hidden")
    assert "The arguments do not fit." in page.js("document.querySelector('#run-problem').textContent")
    assert page.js("document.querySelector('#arg-path-hint').textContent") == "is no absolute path"
    page.press("Escape")
    page.until("!document.querySelector('#run-dialog').open")
    del server.host.answers[("POST", "/api/v1/runs")]
    page.events[:] = [e for e in page.events if "422" not in json.dumps(e)]


def test_terminate_asks_and_enter_alone_leaves_it(page, server):
    page.click("#running > li:nth-child(2) .risky")
    page.until("document.querySelector('#confirm').open")
    assert page.js("document.activeElement.textContent") == "Leave it"
    page.press("Enter")
    page.until("!document.querySelector('#confirm').open")
    assert sent(server, f"/runs/{run_id(1239)}/terminate") == []
    page.click("#running > li:nth-child(2) .risky")
    page.until("document.querySelector('#confirm').open")
    page.js("document.querySelector('#confirm-reason').value = 'holds a lock'")
    page.click("#confirm-yes")
    page.until("!document.querySelector('#confirm').open")
    assert sent(server, f"/runs/{run_id(1239)}/terminate") == [{"reason": "holds a lock"}]


def test_cancel_and_retry(page, server):
    page.click("#running > li:nth-child(1) .buttons button")
    page.until("document.querySelector('#confirm').open")
    page.click("#confirm-yes")
    page.until("!document.querySelector('#confirm').open")
    assert sent(server, f"/runs/{run_id(1240)}/cancel") == [{}]
    page.click(f"[data-key='{run_id(1238)}'] .buttons button")
    page.until("document.querySelector('#toasts').innerText.includes('mischief.segv#1238 runs again.')")
    assert sent(server, f"/runs/{run_id(1238)}/retry") == [{}]


def test_details_tell_the_whole_story(page):
    page.click(f"[data-key='{run_id(1238)}'] .run-name")
    page.until("document.querySelector('#detail-body').innerText.includes('Attempt 3')")
    text = page.js("document.querySelector('#detail').innerText")
    for words in ("mischief.segv#1238", "The handler crashed: SIGSEGV at address 0x0.", "signal SIGSEGV", "libc.so.6+0x88", "0x1234", "3.9 MiB peak",
                  "about to write to address 0", "Retry"):
        assert words in text, words
    assert page.js("location.hash") == "#" + run_id(1238)
    page.press("Escape")
    page.until("!document.querySelector('#detail').open && location.hash === ''")


def test_an_address_that_is_no_run_stops_nothing(browser, server):
    browser.resize(1280, 900)
    browser.events.clear()
    for part in ("%", "%E0%A4%A", "run_", "%72un_0000000000000"):
        browser.open("about:blank")
        browser.open(f"{server.url}/#{part}")
        browser.until("document.querySelector('#live')?.dataset.state === 'live'")
        assert not browser.js("document.querySelector('#detail').open")
    assert browser.complaints() == []
    browser.open("about:blank")


def test_a_run_explains_itself_and_names_its_crash(page):
    page.click(f"[data-key='{run_id(1238)}'] .run-name")
    page.until("document.querySelector('.why-summary') !== null")
    text = page.js("document.querySelector('#detail').innerText")
    for words in ("It crashed with SIGSEGV in write_to_nowhere (dying.c:15).", f"pawl replay {run_id(1238)} --gdb", "stop where it crashed",
                  "write_to_nowhere dying.c:15", "mischief_segv inlined dying.c:22", "on thread pawl-worker", "9f2c41d07b3a5e88",
                  "2 processes, 1 scratch files", "Memory up to 8.0 MiB", "CPU up to 50 % of one processor"):
        assert words in text, words
    # What is long is folded, and is there.
    assert "rip" not in text and "It touched address 0x0" not in text
    page.click("[data-name='registers-3'] summary")
    page.until("document.querySelector('#detail').innerText.includes('rip      0x1234')")
    page.click("[data-name='diagnosis-3'] summary")
    page.until("document.querySelector('#detail').innerText.includes('wait_for waiting.c:40')")
    text = page.js("document.querySelector('#detail').innerText")
    assert "last call at /src/etl.swift:12" in text and "waits in poll_schedule_timeout" in text
    page.click(".why summary")
    page.until("document.querySelector('#detail').innerText.includes('which is a null pointer')")
    assert page.js("document.querySelectorAll('#detail svg.chart polyline').length") == 6
    page.press("Escape")
    page.until("!document.querySelector('#detail').open")


def test_a_live_run_is_looked_at_frozen_and_extended(page, server):
    page.click(f"[data-key='{run_id(1239)}'] .run-name")
    page.until("document.querySelector('#detail .detail-state .buttons') !== null")
    buttons = "[...document.querySelectorAll('#detail .detail-state button')].filter((b) => !b.hidden).map((b) => b.textContent)"
    assert page.js(buttons) == ["Diagnose", "Extend…", "Renice…", "Freeze", "Cancel", "Terminate"]
    press = "[...document.querySelectorAll('#detail .detail-state button')].find((b) => b.textContent === '{}').click()"
    page.js(press.format("Diagnose"))
    page.until("document.querySelector('.looked').innerText.includes('wait_for waiting.c:40')")
    page.js(press.format("Freeze"))
    page.until(f"{buttons}.includes('Thaw')")
    assert page.js("document.querySelector('#detail .detail-state').innerText").startswith("running")
    assert "frozen" in page.js("document.querySelector('#detail .detail-state').innerText")
    page.js(press.format("Thaw"))
    page.until(f"{buttons}.includes('Freeze')")
    page.js(press.format("Extend…"))
    page.until("document.querySelector('#ask').open")
    page.js("document.querySelector('#ask-amount').value = '1.5'; document.querySelector('#ask-unit').value = '3600000'")
    page.click("#ask-yes")
    page.until("document.querySelector('#toasts').innerText.includes('may run until') && !document.querySelector('#ask').open")
    assert sent(server, f"/runs/{run_id(1239)}/extend") == [{"by_ms": 5400000}]
    page.js(press.format("Renice…"))
    page.until("document.querySelector('#ask').open")
    page.js("document.querySelector('#ask-niceness').value = '15'")
    page.press("Enter")
    page.until("!document.querySelector('#ask').open")
    assert sent(server, f"/runs/{run_id(1239)}/niceness") == [{"niceness": 15}]
    page.press("Escape")
    page.until("!document.querySelector('#detail').open")


# Plugins

NOW, OLD, NEW = "3f5a" * 16, "11aa" * 16, "9d9d" * 16


def open_plugin(page):
    page.click("#plugins a.run-name")
    page.until("document.querySelector('#plugin-body .versions') !== null")


def plugin_button(page, label):
    page.js(f"[...document.querySelectorAll('#plugin-body button')].find((b) => (b.getAttribute('aria-label') || b.textContent) === {label!r}).click()")


def test_a_plugin_tells_at_a_glance_what_is_wrong(page):
    text = page.js("document.querySelector('#plugins li').innerText")
    for words in ("9d9d9d9d9d9d is held back: 2 things would break", "cafecafecafe is tried on 5 %", "1 host has another version"):
        assert words in text, words


def test_versions_stand_side_by_side(page):
    open_plugin(page)
    text = page.js("document.querySelector('#plugin').innerText")
    for words in ("is held back: 2 things would break.", 'schedule "nightly": /header must be a boolean', "12 waiting runs",
                  "it takes 5 % of the runs: 2 of 120 crashed here.", "the fix for quoted fields", "178.0 KiB", "k7xFsJ3h",
                  "Changes from 3f5a3f5a3f5a to 9d9d9d9d9d9d · 2 breaking", "csv.count removed breaking", "other-host", "drift",
                  "version `GLIBC_2.38' not found", "<img src=x"):
        assert words in text, words
    assert page.js("[...document.querySelectorAll('.version')].map((v) => v.dataset.version)") == [NOW, NEW, "cafe" * 16, OLD]
    steps = page.js("[...document.querySelectorAll('.version')[0].querySelectorAll('.steps li')].map((s) => s.innerText.replaceAll('\\n', ' '))")
    assert steps == ["staged", "verified +12 ms", "warming +31 ms", "active +80 ms"]
    # Breaking changes are red and say so; others are not.
    red = page.js("getComputedStyle(document.querySelector('.changes .breaking')).color")
    assert red == "rgb(179, 18, 61)"
    assert page.js("[...document.querySelectorAll('.changes ul li')].map((e) => getComputedStyle(e).color === 'rgb(179, 18, 61)')") == [True, False]
    assert page.js("document.querySelectorAll('#plugin img').length") == 0
    page.js("document.querySelector('#plugin details[data-name=events]').open = true")
    assert "2 things would break" in page.js("document.querySelector('.events').innerText")
    page.press("Escape")
    page.until("!document.querySelector('#plugin').open")


def test_a_version_tells_its_handlers_its_canary_and_what_happened_last(page):
    open_plugin(page)
    lines = lambda version, part: page.js(
        f"[...document.querySelectorAll('.version[data-version=\"{version}\"] {part}')].map((e) => e.textContent)")
    first, second = lines(NOW, ".handlers li")
    assert first == "csv.to_jsonlargs schemaConverts CSV into JSON Lines." and second.startswith("csv.countno args schema<img")
    assert "typed" not in first + second and lines(OLD, ".handlers") == []
    # Many are folded; functions of C libraries say that they are, and which nobody has compared.
    assert lines("cafe" * 16, "summary") == ["8 handlers"]
    typed = lines("cafe" * 16, ".handlers li")
    assert len(typed) == 8 and all("typed" in line for line in typed)
    assert [line.endswith("unverified") for line in typed] == [n == 1 for n in range(8)]
    figures = lines("cafe" * 16, ".figures div")
    assert "canary5 % of the runs" in figures and "of them crashed2 of 120" in figures
    assert not any("canary" in figure for figure in lines(NOW, ".figures div"))
    [last] = lines(NEW, ".last-event")
    assert last.startswith("last eventheld") and last.endswith("demo-host2 things would break")
    assert lines(NOW, ".last-event") and lines(OLD, ".last-event") == []
    page.press("Escape")
    page.until("!document.querySelector('#plugin').open")


def test_a_run_leads_to_its_parent_and_its_follow_ups(page):
    page.js(f"location.hash = '{run_id(1237)}'")
    page.until("document.querySelector('#detail-title').textContent === 'text.stats#1237'")
    page.until("document.querySelectorAll('#detail .follow-ups a').length === 2")
    text = page.js("document.querySelector('#detail .facts').innerText")
    assert "Follows" in text and f"{run_id(1235)} csv.to_jsonl" in text and "<img src=x" in text
    assert page.js("document.querySelectorAll('#detail img').length") == 0
    page.js("document.querySelector('#detail .follow-ups a').click()")
    page.until("document.querySelector('#detail-title').textContent === 'csv.to_jsonl#1235'")
    assert "Follow" not in page.js("document.querySelector('#detail .facts').innerText")
    page.js(f"location.hash = '{run_id(1237)}'")
    page.until("document.querySelector('#detail-title').textContent === 'text.stats#1237'")
    page.js(f"[...document.querySelectorAll('#detail .facts a')].find((a) => a.textContent === '{run_id(1240)}').click()")
    page.until("document.querySelector('#detail-title').textContent === 'csv.to_jsonl#1240'")
    page.press("Escape")
    page.until("!document.querySelector('#detail').open")


def test_a_rollback_asks_and_is_guarded(page, server):
    open_plugin(page)
    plugin_button(page, "End canary")
    page.until("document.querySelector('#confirm').open")
    assert "End the canary of csv?" in page.js("document.querySelector('#confirm').innerText")
    page.press("Enter")
    page.until("!document.querySelector('#confirm').open")
    assert sent(server, "/plugins/csv/rollback") == []
    change(server, lambda host: host.plugin_details["csv"].update(canary=None, revision=8))
    page.until("[...document.querySelectorAll('#plugin-body button')].some((b) => b.textContent === 'Rollback')")
    plugin_button(page, "Rollback")
    page.until("document.querySelector('#confirm').open")
    page.js("document.querySelector('#confirm-reason').value = 'wrong totals'")
    page.click("#confirm-yes")
    page.until("!document.querySelector('#confirm').open")
    assert sent(server, "/plugins/csv/rollback") == [{"reason": "wrong totals"}]
    [headers] = [h for m, p, _, h in server.host.requests if m == "POST" and p.endswith("/rollback")]
    assert headers["If-Match"] == '"8-x"'
    page.until(f"document.querySelector('.version[data-version=\"{OLD}\"]').innerText.includes('retired')")
    page.press("Escape")


def test_somebody_elses_change_is_not_overwritten(page, server):
    open_plugin(page)
    plugin_button(page, "Activate 11aa11aa11aa")
    page.until("document.querySelector('#confirm').open")
    with server.host.lock:
        server.host.plugin_details["csv"]["revision"] = 8
    page.click("#confirm-yes")
    page.until("document.querySelector('#confirm-problem').innerText.includes('changed meanwhile')")
    assert page.js("document.querySelector('#confirm').open")
    # The browser's own word about the refusal.
    assert all("412" in words for words in page.complaints())
    page.events.clear()
    page.press("Escape")
    page.press("Escape")


def test_what_is_held_may_be_forced_and_canaries_have_a_share(page, server):
    open_plugin(page)
    plugin_button(page, "Try 11aa11aa11aa as a canary")
    page.until("document.querySelector('#ask').open")
    page.js("document.querySelector('#ask-percent').value = '25'; document.querySelector('#ask-bound').value = '2.5'")
    page.click("#ask-yes")
    page.until("!document.querySelector('#ask').open")
    assert sent(server, "/plugins/csv/canary") == [{"version": OLD, "percent": 25, "crash_percent_bound": 2.5}]
    page.until("document.querySelector('#plugin-body').innerText.includes('takes 25 %')")
    plugin_button(page, "Activate all the same")
    page.until("document.querySelector('#confirm').open")
    page.click("#confirm-yes")
    page.until("!document.querySelector('#confirm').open && document.querySelector('.held') === null")
    assert sent(server, "/plugins/csv/activate") == [{"version": NEW, "force": True}]
    page.press("Escape")


def test_a_version_is_removed_and_a_plugin_disabled(page, server):
    open_plugin(page)
    plugin_button(page, "Remove 11aa11aa11aa")
    page.until("document.querySelector('#confirm').open")
    page.click("#confirm-yes")
    page.until("document.querySelectorAll('.version').length === 3")
    plugin_button(page, "Disable")
    page.until("document.querySelector('#confirm').open")
    page.click("#confirm-yes")
    page.until("[...document.querySelectorAll('#plugin-body button')].some((b) => b.textContent === 'Enable')")
    assert "disabled" in page.js("document.querySelector('#plugin .detail-state').innerText")
    page.press("Escape")


def test_a_plugin_is_pinned_and_unpinned(page, server):
    open_plugin(page)
    for button, there, sign in (("Pin", "Unpin", True), ("Unpin", "Pin", False)):
        plugin_button(page, button)
        page.until("document.querySelector('#confirm').open")
        page.click("#confirm-yes")
        page.until(f"[...document.querySelectorAll('#plugin-body button')].some((b) => b.textContent === '{there}')")
        assert ("pinned" in page.js("document.querySelector('#plugin .detail-state').innerText")) == sign
    page.press("Escape")


def test_uploads_are_offered_where_the_host_takes_them(page, server):
    assert page.js("document.querySelector('#plugin-upload').hidden")
    change(server, lambda host: setattr(host, "uploads", "page"))
    page.until("!document.querySelector('#plugin-upload').hidden")
    # As a drop gives it: a file of the browser's own.
    page.js("""(() => {
        const data = new DataTransfer(); data.items.add(new File(['\\x7fELF...'], 'libcsv.so'));
        document.querySelector('#plugins').dispatchEvent(new DragEvent('drop', { bubbles: true, cancelable: true, dataTransfer: data }));
    })()""")
    page.until("document.querySelector('#ask').open")
    assert page.js("document.querySelector('#ask-name').value") == "csv"
    page.js("document.querySelector('#ask-activate').value = '5'")
    page.click("#ask-yes")
    page.until("document.querySelector('#toasts').innerText.includes('csv eeeeeeeeeeee: canary.')")
    [path] = [p for m, p, _, _ in server.host.requests if m == "POST" and "/versions" in p]
    assert path == "/api/v1/plugins/csv/versions?file=libcsv.so&canary_percent=5"
    page.press("Escape")


def test_a_quarantine_is_shown_and_lifted(page, server):
    text = page.js("document.querySelector('#quarantines').innerText")
    assert "mischief.abort 9c019c019c01 is out of service: 8 of its last 10 attempts crashed." in text
    page.click("#quarantines button")
    page.until("document.querySelector('#quarantines').hidden")
    assert sent(server, f"/quarantines/mischief.abort/{'9c01' * 16}/lift") == [{}]


def test_crashes_of_one_kind_are_one_line(page):
    text = page.js("document.querySelector('#crashes').innerText")
    assert "SIGSEGV in write_to_nowhere (dying.c:15)" in text and "1,250 ×" in text
    page.click("#crashes a")
    page.until("document.querySelector('#detail-title').textContent === 'mischief.segv#1238'")
    page.press("Escape")
    page.until("!document.querySelector('#detail').open")


def test_clean_up_shows_its_plan_first(page, server):
    page.click("#cleanup")
    page.until("document.querySelector('#cleanup-plan').innerText.includes('2 runs will be ended by force, as failed')")
    assert "mischief.deaf#1239" in page.js("document.querySelector('#cleanup-plan').innerText")
    assert page.js("document.activeElement.textContent") == "Close"
    page.click("#cleanup-apply")
    page.until("!document.querySelector('#cleanup-dialog').open")
    assert sent(server, "/safety/cleanup-stale") == [{"older_than_ms": 21600000, "dry_run": True}, {"older_than_ms": 21600000, "plan": "pln_1"}]


def test_a_host_that_goes_away_leaves_its_last_data(browser):
    with Running(sample.busy_host()) as server:
        browser.open(server.url + "/")
        browser.until("document.querySelectorAll('#running > li').length === 2")
    browser.until("document.querySelector('#live').textContent.startsWith('Offline since')")
    assert browser.js("document.body.classList.contains('stale') && document.querySelectorAll('#running > li').length === 2")
    browser.open("about:blank")
    browser.events.clear()


def test_hidden_pages_ask_nothing(page, server):
    page.js("Object.defineProperty(document, 'hidden', {value: true, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))")
    page.until("document.querySelector('#live').textContent === 'Paused'")
    before = len(server.host.requests)
    page.js("new Promise((done) => setTimeout(done, 2500))")
    assert len(server.host.requests) == before
    page.js("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.until("document.querySelector('#live').textContent === 'Live'")


def test_signed_out_it_asks_for_a_token(browser, server):
    server.host.token = "other"
    original = server.host.answers
    server.host.answers = {("GET", "/api/v1/overview"): (401, {"status": 401, "detail": "Not signed in."})}
    browser.open(server.url + "/")
    browser.until("document.querySelector('#signin') && !document.querySelector('#signin').hidden")
    server.host.answers = original
    browser.js("document.querySelector('#signin-token').value = 'other'")
    browser.click("#signin-form button")
    browser.until("document.querySelector('#signin').hidden && document.querySelectorAll('#running > li').length === 2")
    assert server.host.requests[-1][3].get("Authorization") == "Bearer other"
    browser.open("about:blank")
    browser.events.clear()


@pytest.mark.parametrize("width", [320, 500, 768, 1440])
def test_nothing_is_wider_than_the_window(page, width):
    page.resize(width, 800)
    page.js("new Promise((done) => requestAnimationFrame(done))")
    assert page.js("document.documentElement.scrollWidth") <= width
    wide = page.js("[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(e.closest('.log') || e).overflow !== 'hidden').map((e) => e.className || e.tagName)")
    assert wide == []


def test_targets_are_large_enough(page):
    small = page.js("[...document.querySelectorAll('button, input, select, a.run-name')].filter((e) => e.offsetParent).map((e) => [e.textContent, e.getBoundingClientRect()]).filter(([, r]) => r.height < 20 || r.width < 20).map(([t]) => t)")
    assert small == []


def test_the_theme_follows_the_system_and_the_button(page):
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.js(ground)
    page.scheme("dark")
    dark = page.until(f"{ground} !== '{light}' && {ground}")
    page.click("#theme")
    assert page.js(ground) == light and page.js("document.querySelector('#theme').getAttribute('aria-label')") == "Theme: light"
    page.scheme("light")
    page.click("#theme")
    assert page.js(ground) == dark
    page.click("#theme")
    assert page.js("document.documentElement.dataset.theme") is None


def test_every_control_has_a_name(page):
    nameless = page.js("""[...document.querySelectorAll('button, input, select, textarea')].filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim()
        || (e.labels && e.labels.length))).map((e) => e.outerHTML)""")
    assert nameless == []
    assert page.js("document.querySelectorAll('h1').length") == 1
    assert page.js("document.querySelector('#toasts').getAttribute('aria-live')") == "polite"
