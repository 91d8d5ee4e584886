import JobCore
import JobStore
import Testing

/// Which versions a row names after decisions.
@Suite struct PluginRowTests {
    private func row(_ active: String?, _ previous: String? = nil, _ older: String? = nil) -> PluginRow {
        PluginRow(name: "p", active: active, previous: previous, older: older)
    }

    private func slots(_ row: PluginRow?) -> [String?]? { row.map { [$0.active, $0.previous, $0.older] } }

    @Test func whatServedMovesBack() {
        #expect(slots(row(nil).applying(.activate("a"))) == ["a", nil, nil])
        #expect(slots(row("a").applying(.activate("b"))) == ["b", "a", nil])
        #expect(slots(row("c", "b", "a").applying(.activate("d"))) == ["d", "c", "b"])
    }

    /// A rollback is an activation of the one before; nothing stands twice, nothing is lost.
    @Test func aRollbackTurnsThemAround() {
        #expect(slots(row("b", "a").applying(.activate("a"))) == ["a", "b", nil])
        #expect(slots(row("c", "b", "a").applying(.activate("b"))) == ["b", "c", "a"])
        #expect(slots(row("c", "b", "a").applying(.activate("a"))) == ["a", "c", "b"])
    }

    @Test func whatIsSoAlreadyChangesNothing() {
        #expect(row("a").applying(.activate("a")) == nil)
        #expect(row("a").applying(.endCanary) == nil)
        #expect(row(nil).applying(.retire) == nil)
        #expect(row("a").applying(.enable) == nil)
        #expect(row("a").applying(.pin(false)) == nil)
    }

    @Test func aCanaryStandsBesideAndEnds() throws {
        let tried = try #require(row("a").applying(.canary("b", policy: "{\"percent\":5}")))
        #expect(slots(tried) == ["a", nil, nil])
        #expect(tried.canary == PluginRow.Canary(sha256: "b", policy: "{\"percent\":5}"))
        #expect(tried.versions == ["a", "b"])
        #expect(tried.applying(.endCanary)?.canary == nil)
        let promoted = try #require(tried.applying(.activate("b")))
        #expect(slots(promoted) == ["b", "a", nil] && promoted.canary == nil)
        // The active one is confirmed: the other was not good.
        #expect(slots(tried.applying(.activate("a"))) == ["a", nil, nil])
        #expect(tried.applying(.activate("a"))?.canary == nil)
    }

    @Test func thereIsNothingToTryItBeside() {
        #expect(slots(row(nil).applying(.canary("a", policy: "{}"))) == ["a", nil, nil])
        #expect(row("a").applying(.canary("a", policy: "{}")) == nil)
    }

    @Test func retiredAndDisabled() {
        #expect(slots(row("b", "a").applying(.retire)) == [nil, "b", "a"])
        #expect(slots(row(nil, "b", "a").applying(.activate("b"))) == ["b", "a", nil])
        let disabled = row("a").applying(.disable)
        #expect(disabled?.wanted == nil && disabled?.active == "a")
        #expect(disabled?.applying(.enable)?.wanted == "a")
    }
}
