import JobCore
import Testing

@Suite struct SafetyPolicyTests {
    /// Older than six hours and than its own timeout, and nobody keeps it back: all combinations.
    @Test func whatASweepMayEnd() {
        let hour = Duration.seconds(3600)
        let policy = SafetyPolicy()
        for hours in [1, 5, 6, 7, 9, 11] {
            for timeout in [1, 6, 8] {
                for isFrozen in [false, true] {
                    for left in [nil, .seconds(-1), .zero, .seconds(1)] as [Duration?] {
                        for isEnding in [false, true] {
                            var facts = StaleFacts(
                                runningFor: hour * hours, timeout: hour * timeout, isHeardOf: true, isFrozen: isFrozen,
                                timeLeft: left, isEnding: isEnding)
                            let isOld = hours >= 6 && hours >= timeout
                            let isFree = !isFrozen && left != .seconds(1)
                            let isDying = isEnding && hours < max(6, timeout) + 2
                            #expect(policy.isStale(facts) == (isOld && isFree && !isDying), "\(facts)")
                            facts.isHostGone = true
                            #expect(policy.isStale(facts) == (isOld && isFree && !isDying), "\(facts)")
                            // Its host says nothing of it: nobody knows.
                            facts.isHeardOf = false
                            #expect(policy.isStale(facts) == (isOld && isFree && !isDying), "\(facts)")
                            facts.isHostGone = false
                            #expect(!policy.isStale(facts), "\(facts)")
                        }
                    }
                }
            }
        }
        let just = StaleFacts(runningFor: hour * 6 - .milliseconds(1), timeout: hour, isHeardOf: true)
        #expect(!policy.isStale(just))
        var short = policy
        short.staleAfter = .seconds(60)
        #expect(short.isStale(StaleFacts(runningFor: hour, timeout: hour, isHeardOf: true)))
        #expect(!short.isStale(StaleFacts(runningFor: .seconds(61), timeout: hour, isHeardOf: true)))
    }

    @Test func whatAPolicyMayBe() throws {
        try SafetyPolicy().check()
        let policy = SafetyPolicy()
        #expect(policy.mode == .act && policy.outcome == .fail && policy.sweepEvery == .seconds(300))
        func pointer(_ change: (inout SafetyPolicy) -> Void) -> String? {
            var changed = policy
            change(&changed)
            do throws(FieldFault) {
                try changed.check()
                return nil
            } catch {
                return error.pointer
            }
        }
        #expect(pointer { $0.staleAfter = .seconds(59) } == "/stale_after_ms")
        #expect(pointer { $0.staleAfter = .seconds(60) } == nil)
        #expect(pointer { $0.sweepEvery = .milliseconds(999) } == "/sweep_every_ms")
        #expect(pointer { $0.sweepEvery = .seconds(86_401) } == "/sweep_every_ms")
        #expect(pointer { $0.stuck.idleAfter = .zero } == "/idle_after_ms")
        #expect(pointer { $0.stuck.times.low = .zero } == "/stuck_after_ms/low")
        #expect(pointer { $0.stuck.times.medium = .seconds(600) } == "/stuck_after_ms")
        #expect(pointer { $0.stuck.times.high = .seconds(7200) } == "/stuck_after_ms")
        #expect(pointer { $0.stuck.slowFactor = 0.5 } == "/slow_factor")
        #expect(pointer { $0.stuck.slowFactor = .nan } == "/slow_factor")
    }

    @Test func emergencies() {
        #expect(!Emergency().isOn && !Emergency().haltsClaims)
        for mode in EmergencyMode.allCases {
            let emergency = Emergency([.init(mode: mode, since: WallTime(micros: 0), actor: "me", reason: "why")])
            #expect(emergency.isOn && emergency[mode]?.reason == "why")
            #expect(emergency.haltsClaims == [.pauseQueues, .terminateAll].contains(mode))
            for other in EmergencyMode.allCases where other != mode { #expect(emergency[other] == nil) }
        }
    }
}
