"""`pawl exclusive` against a scripted host: what is sent, and what is said."""

import json

PATH = "/api/v1/queues/a%20b/exclusive"


def script(server, changed):
    server.host.answers["POST", PATH] = lambda body: (200, {"changed": changed, "queue": {"name": "a b", "exclusive": body["exclusive"]}})


def test_a_queue_gets_one_host_and_all_again(pawl, server):
    script(server, True)
    done = pawl("exclusive", "a b")
    assert done.returncode == 0 and done.stdout == "" and "a b is now served by one host at a time." in done.stderr, done
    done = pawl("exclusive", "a b", "--off")
    assert done.returncode == 0 and "a b is now served by all hosts." in done.stderr, done
    assert server.host.sent("POST", PATH) == [{"exclusive": True}, {"exclusive": False}]
    script(server, False)
    assert "a b is already served by one host at a time." in pawl("exclusive", "a b").stderr
    assert json.loads(pawl("exclusive", "a b", "--json").stdout)["changed"] is False


def test_what_the_server_refuses_is_told(pawl, server):
    server.host.answers["POST", PATH] = (404, {"code": "queue_not_found", "title": "Not Found", "status": 404, "detail": "There is no queue a b."})
    done = pawl("exclusive", "a b")
    assert done.returncode == 4 and "There is no queue a b." in done.stderr, done
    assert pawl("exclusive").returncode == 64
