import Plugins
import Testing
import UVLoop

/// How the host understands what `pawl-inspect calls` says; the tool itself is tested by Tests/plugins/test_declarations.py.
extension SupervisionSuite {
    @Suite struct DeclarationCheckTests {
        private static func answer(_ functions: String) -> DeclarationCheck {
            DeclarationCheck(
                answer: #"{"library":"libm.so.6","path":"/lib/libm.so.6","debug":null,"functions":[\#(functions)]}"#)
        }

        private static func function(_ index: Int, _ state: String, _ words: String) -> String {
            #"{"place":"functions[\#(index)]","name":"m.f\#(index)","symbol":"f","state":"\#(state)","words":"\#(words)"}"#
        }

        @Test func mismatchesAreARefusal() {
            let one = Self.answer(Self.function(0, "checked", "") + "," + Self.function(1, "mismatch", "two, not one"))
            #expect(one.refusal == "it does not declare what libm.so.6 has: functions[1] (m.f1): two, not one")
            #expect(one.notes.isEmpty)
            let many = Self.answer((0..<6).map { Self.function($0, "mismatch", "x") }.joined(separator: ","))
            #expect(many.refusal?.hasSuffix("functions[3] (m.f3): x; and 2 more") == true)
        }

        @Test func whatWasNotComparedIsSaid() {
            let some = Self.answer(
                Self.function(0, "unchecked", "an IFUNC") + "," + Self.function(1, "checked", "") + ","
                    + Self.function(2, "unchecked", "none there") + "," + Self.function(3, "unchecked", "an IFUNC"))
            #expect(some.refusal == nil)
            #expect(
                some.notes == [
                    "unchecked: m.f0, m.f3 were not compared with libm.so.6: an IFUNC",
                    "unchecked: m.f2 was not compared with libm.so.6: none there",
                ])
            let all = Self.answer(Self.function(0, "unchecked", "none") + "," + Self.function(1, "unchecked", "none"))
            #expect(all.notes == ["unchecked: its declarations were not compared with libm.so.6: none"])
        }

        /// A process that hangs in the kernel cannot be ended: nobody waits for it for ever.
        @Test func aToolThatCannotBeEnded() async {
            LoopActor.bindForTesting()
            await Self.withoutAnAnswer()
        }

        @LoopActor
        private static func withoutAnAnswer() async {
            var hung: CheckedContinuation<Void, Never>?
            let check = await DeclarationCheck.of(
                #"{"plugin":"m"}"#, inspector: "/bin/true", atMost: .milliseconds(50),
                run: { (_) async throws(LoopError) in
                    await withCheckedContinuation { hung = $0 }
                    throw LoopError(5, "end at last")
                })
            #expect(check.refusal == nil)
            #expect(
                check.notes == [
                    "unchecked: its declarations were not compared with the library: pawl-inspect has not answered for 50 ms and could not be ended"
                ])
            // It ends after all, and nobody cares.
            hung?.resume()
        }

        /// Whatever becomes of the tool: it is said, and nothing is refused for it.
        @Test(arguments: [
            (nil, "pawl-inspect is not installed"), ("/nonexistent", "did not answer"), ("/bin/false", "ended with"),
            ("/bin/echo", "cannot be read"),
        ])
        func aToolThatDoesNotAnswer(_ path: String?, _ words: String) async {
            LoopActor.bindForTesting()
            let check = await DeclarationCheck.of(#"{"plugin":"m"}"#, inspector: path)
            #expect(check.refusal == nil && check.functions.isEmpty)
            #expect(check.notes.count == 1 && check.notes[0].hasPrefix("unchecked: "), "\(check.notes)")
            #expect(check.problem?.contains(words) == true, "\(check.problem ?? "")")
        }
    }
}
