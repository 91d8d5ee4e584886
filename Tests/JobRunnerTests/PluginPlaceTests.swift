import JobCore
import JobStore
import Testing
import UVLoop

@testable import JobRunner

/// What a host does next about a plugin, given what all are to serve.
@Suite struct PluginPlaceTests {
    private func place(
        row: PluginRow?, active: String? = nil, canary: String? = nil, isDisabled: Bool = false
    ) -> PluginPlace {
        var place = PluginPlace(name: "p")
        place.row = row
        place.active = active
        place.canary = canary
        place.isDisabled = isDisabled
        return place
    }

    private func row(
        _ active: String?, canary: String? = nil, isDisabled: Bool = false, revision: Int64 = 1
    ) -> PluginRow {
        PluginRow(
            name: "p", active: active, canary: canary.map { PluginRow.Canary(sha256: $0, policy: "{}") },
            isDisabled: isDisabled, revision: revision)
    }

    private let now = LoopInstant(nanoseconds: 1_000_000_000_000)

    private func step(_ place: PluginPlace, after: Duration = .zero) -> PluginPlace.Step {
        place.step(isDeciding: false, now: self.now.advanced(by: after))
    }

    @Test func itFollowsTheRow() {
        #expect(step(place(row: nil, active: "a")) == .nothing)
        #expect(step(place(row: row(nil, revision: 0), active: "a")) == .nothing)
        #expect(step(place(row: row("a"), active: "a")) == .nothing)
        #expect(step(place(row: row("b"), active: "a")) == .serve("b"))
        #expect(step(place(row: row("b"))) == .serve("b"))
        #expect(step(place(row: row(nil), active: "a")) == .retire)
        let canary = PluginRow.Canary(sha256: "b", policy: "{}")
        #expect(step(place(row: row("a", canary: "b"), active: "a")) == .beginCanary(canary))
        #expect(step(place(row: row("a", canary: "b"), active: "a", canary: "b")) == .nothing)
        #expect(step(place(row: row("a"), active: "a", canary: "b")) == .endCanary)
        #expect(step(place(row: row("a", isDisabled: true), active: "a")) == .disable)
        #expect(step(place(row: row("b", isDisabled: true), active: "a", isDisabled: true)) == .nothing)
        #expect(step(place(row: row("a"), active: "a", isDisabled: true)) == .enable)
    }

    @Test func itDoesNotFollowWhileItDecidesOrMoves() {
        var moving = place(row: row("b"), active: "a")
        #expect(moving.step(isDeciding: true, now: now) == .nothing)
        moving.isMoving = true
        #expect(step(moving) == .nothing)
    }

    /// What cannot be loaded is tried again later, or when somebody decides anew; its handlers get no runs meanwhile.
    @Test func whatCannotBeLoadedBlocks() {
        var place = place(row: row("b"), active: "a")
        place.failed("b", "no room", isTransient: false, now: now)
        #expect(place.isBlocked && step(place) == .nothing)
        #expect(place.note.state == "failed" && place.note.problem == "no room" && place.note.candidate == "b")
        #expect(place.note.sha256 == "a")
        #expect(step(place, after: .seconds(3600)) == .serve("b"))
        // The one that still runs here is to serve again.
        place.row = row("a", revision: 2)
        #expect(!place.isBlocked && step(place) == .nothing)
        place.row = row("c", revision: 3)
        #expect(!place.isBlocked && step(place) == .serve("c"))
        place.row = row("b", revision: 4)
        #expect(step(place) == .serve("b"), "a new decision is a new chance")
    }

    @Test func whatIsStillToComeDoesNotBlock() {
        var place = place(row: row("b"), active: "a")
        place.failed("b", "not there yet", isTransient: true, now: now)
        #expect(!place.isBlocked && place.note.state == "waiting" && step(place) == .nothing)
        place.hinted(now: now)
        #expect(step(place) == .serve("b"))
        place.failed("b", "not there yet", isTransient: true, now: now.advanced(by: PluginPlace.patience))
        #expect(place.isBlocked, "its host is gone")
        place.succeeded()
        place.active = "b"
        #expect(!place.isBlocked && place.note.state == "active" && place.note.problem == nil)
    }

    /// The last bytes are announced while this host still looks for them: that must not be lost.
    @Test func whatIsAnnouncedDuringAStepCounts() {
        var place = place(row: row("b"), active: "a")
        place.isMoving = true
        place.hinted(now: now)
        place.failed("b", "not there yet", isTransient: true, now: now)
        place.isMoving = false
        #expect(step(place) == .serve("b"))
        place.failed("b", "not there yet", isTransient: true, now: now)
        #expect(step(place) == .nothing, "once")
    }

    @Test func pausesGrowAndEnd() {
        var place = place(row: row("b"), active: "a")
        var times: [Duration] = []
        for _ in 0..<10 {
            place.failed("b", "no", isTransient: false, now: now)
            times.append((place.failure?.retryAt ?? now) - now)
        }
        #expect(times == times.sorted() && times[0] < times[3] && times.last == .seconds(60))
    }

    /// Its own file was removed; the others go on.
    @Test func itMayGoWithout() {
        var place = place(row: row("a"))
        place.renounced = 1
        #expect(step(place) == .nothing && !place.isBlocked)
        place.row = row("b", revision: 2)
        #expect(step(place) == .serve("b"))
    }

    /// Whatever the step found to do: it is not asked for again.
    @Test func aStepThatWasTakenIsOver() {
        let canary = PluginRow.Canary(sha256: "c", policy: "{}")
        for (wanted, here) in [
            (row("b"), place(row: nil, active: "a")), (row("b"), place(row: nil)),
            (row(nil), place(row: nil, active: "a")),
            (row("a", canary: "c"), place(row: nil, active: "a")),
            (row("a"), place(row: nil, active: "a", canary: "c")),
            (row("a", isDisabled: true), place(row: nil, active: "a")),
            (row("a"), place(row: nil, active: "a", isDisabled: true)),
        ] {
            var place = here
            place.row = wanted
            let step = step(place)
            #expect(step != .nothing)
            place.took(step)
            #expect(self.step(place) == .nothing, "\(step)")
        }
        #expect(step(place(row: row("a", canary: "c"), active: "a")) == .beginCanary(canary))
    }

    // MARK: Decisions

    private func decision(_ change: PluginChange, at: Int64 = 10, revision: Int64? = nil) -> PluginDecisions.Pending {
        PluginDecisions.Pending(decision: PluginDecision(change, at: WallTime(micros: at)), revision: revision)
    }

    @Test func aLaterDecisionTakesThePlaceOfAnEarlierOne() {
        var decisions = PluginDecisions()
        for number in 0..<100 {
            decisions.add(decision(.activate("\(number)")))
            decisions.add(decision(number % 2 == 0 ? .disable : .enable))
        }
        #expect(decisions.pending.map(\.decision.change) == [.activate("99"), .enable])
        decisions.add(decision(.endCanary))
        #expect(decisions.pending.map(\.decision.change) == [.activate("99"), .enable, .endCanary])
        // A trial begins beside the version that was chosen before, and ends where another is chosen.
        decisions.add(decision(.canary("t", policy: "{}")))
        #expect(decisions.pending.map(\.decision.change) == [.activate("99"), .enable, .canary("t", policy: "{}")])
        decisions.add(decision(.activate("u")))
        #expect(decisions.pending.map(\.decision.change) == [.enable, .activate("u")])
    }

    /// A trial ends with the plugin's service, and begins anew with it.
    @Test func aTrialComesBackWithItsPlugin() {
        var place = place(row: row("a", canary: "b", isDisabled: true), active: "a", canary: "b")
        #expect(step(place) == .disable)
        place.took(.disable)
        place.row = row("a", canary: "b", revision: 2)
        place.took(step(place))
        #expect(step(place) == .beginCanary(PluginRow.Canary(sha256: "b", policy: "{}")))
    }

    @Test func ofTwoTheLaterOneCounts() {
        var row = row("a", revision: 7)
        #expect(PluginDecisions.verdict(on: decision(.activate("b")), row: nil) == .write(ifRevision: 0))
        #expect(PluginDecisions.verdict(on: decision(.activate("b")), row: row) == .write(ifRevision: 7))
        row.changedAt = WallTime(micros: 9)
        #expect(PluginDecisions.verdict(on: decision(.activate("b")), row: row) == .write(ifRevision: 7))
        row.changedAt = WallTime(micros: 11)
        #expect(PluginDecisions.verdict(on: decision(.activate("b")), row: row) == .superseded)
        // A person changes what they have seen, or nothing.
        #expect(PluginDecisions.verdict(on: decision(.activate("b"), revision: 7), row: row) == .write(ifRevision: 7))
        #expect(PluginDecisions.verdict(on: decision(.activate("b"), revision: 6), row: row) == .superseded)
        // Nobody has decided since this host looked: its clock is wrong.
        var own = decision(.activate("b"))
        own.base = 7
        #expect(PluginDecisions.verdict(on: own, row: row) == .write(ifRevision: 7))
        own.base = 6
        #expect(PluginDecisions.verdict(on: own, row: row) == .superseded)
        var decisions = PluginDecisions()
        decisions.add(own)
        decisions.rebase(from: 6, to: 7)
        #expect(decisions.first?.base == 7)
    }
}
