import HTTPTypes
import JobCore
import JobStore
import UVLoop

/// Health, figures, the document, and the page's way in.
extension Backend {
    var systemRoutes: [Route] {
        [
            Route(.get, "/livez", query: ["verbose"]) { _ in
                // That this is answered is the proof: the loop has turned.
                Answer(text: "ok\n", type: "text/plain; charset=utf-8").with(.cacheControl, "no-store")
            },
            Route(.get, "/readyz", query: ["verbose"]) { [self] in await showReadiness($0) },
            Route(.get, "/metrics") { [self] in showMetrics($0) },
            Route(.get, "/api/v1/openapi.json") { call in
                Answer(bytes: OpenAPI.document, type: "application/json").tagged(call)
            },
            Route(.get, "/api/v1/system") { [self] in showSystem($0) },
            Route(.post, "/api/v1/auth/links") { [self] in makeLink($0) },
        ]
    }

    private func showReadiness(_ call: Call) async -> Answer {
        let checks = await host.readiness()
        let isReady = checks.allSatisfy(\.ok) && !host.isDraining
        var text = ""
        if !isReady || call.query.items.contains(where: { $0.name == "verbose" }) {
            for check in checks { text += "[\(check.ok ? "+" : "-")] \(check.name): \(check.detail)\n" }
        }
        text += isReady ? "ok\n" : "not ready\n"
        var answer = Answer(isReady ? .ok : .serviceUnavailable, text: text, type: "text/plain; charset=utf-8")
            .with(.cacheControl, "no-store")
        if !isReady { answer.headers[.retryAfter] = "1" }
        return answer
    }

    private func showMetrics(_ call: Call) -> Answer {
        let own = [
            MetricFamily(
                name: "pawl_build_info", help: "Always 1; the labels say what runs.", kind: .gauge,
                samples: [
                    MetricSample(
                        1,
                        [MetricLabel("version", configuration.version), MetricLabel("revision", configuration.gitSHA)])
                ])
        ]
        // One family per name: the host's word counts.
        var seen: Set<String> = []
        let families = (host.metrics() + own + ownMetrics()).filter { seen.insert($0.name).inserted }
        return Answer(text: MetricText.render(families), type: MetricText.contentType)
    }

    private func showSystem(_ call: Call) -> Answer {
        var object = JSONObject()
        object.string("version", configuration.version)
        object.string("git_sha", configuration.gitSHA)
        object.string("api", "v1")
        object.bool("compat_seeds", configuration.compatSeeds)
        object.bool("draining", host.isDraining)
        var limits = JSONObject()
        limits.int("body_bytes", configuration.bodyLimitBytes)
        limits.int("batch_body_bytes", configuration.batchBodyLimitBytes)
        limits.int("args_bytes", configuration.argsLimitBytes)
        limits.int("batch_items", BatchInput.limit)
        object.object("limits", limits)
        object.string("host", host.hostView().id?.description)
        object.time("started_at", startedAt)
        object.time("now", WallClock.now)
        return .json(object)
    }

    /// A browser that follows the link may what its maker may. Only a bearer of a token makes links; a session would prolong
    /// itself.
    private func makeLink(_ call: Call) -> Answer {
        var principal = call.principal
        // The rules that name users of this machine are not asked again: renewing does not pass this.
        if principal.way == .peer { principal.expires = WallClock.now.advanced(by: Sessions.sessionLife) }
        var object = JSONObject()
        object.string("url", "/login?ticket=" + gate.sessions.makeTicket(for: principal))
        object.time("expires_at", WallClock.now.advanced(by: Sessions.ticketLife))
        return Answer.json(object, .created).with(.cacheControl, "no-store")
    }
}
