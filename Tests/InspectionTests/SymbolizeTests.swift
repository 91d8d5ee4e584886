import JobCore
import Testing
import UVLoop

@testable import Inspection

extension InspectionSuite {
    @Suite struct Symbolizing {
        @Test func inlinedFunctionsAreFramesOfTheirOwn() async throws {
            try await Workshop.open { shop in
                let file = try await shop.compile(Programs.inlined, "inlined", ["-no-pie", "-Wl,-Ttext-segment=0x0"])
                let outer = try await shop.symbol("outer", in: file)
                let frames = try await shop.symbolize(["\(file)\t-\t\(String(outer, radix: 16))"])
                let names = frames.first?.map { $0["function"]?.text ?? "" }
                #expect(names == ["inner", "outer"])
                #expect(frames.at(0, 0, "inlined") == .boolean(true))
                #expect(frames.at(0, 0, "line")?.integer == 3)
                #expect(frames.at(0, 1, "line")?.integer == 6)
                #expect(frames.at(0, 0, "file")?.text?.hasSuffix("inlined.c") == true)
            }
        }

        @Test func withoutDebugInformationTheSymbolIsLeftAndWithoutSymbolsNothing() async throws {
            try await Workshop.open { shop in
                let file = try await shop.compile(
                    Programs.inlined, "bare", ["-no-pie", "-Wl,-Ttext-segment=0x0", "-g0"])
                let outer = String(try await shop.symbol("outer", in: file), radix: 16)
                var frames = try await shop.symbolize(["\(file)\t-\t\(outer)"])
                #expect(frames.at(0, 0, "function")?.text == "outer")
                #expect(frames.at(0, 0, "line") == nil)
                try await Workshop.run("/usr/bin/strip", [file])
                frames = try await shop.symbolize(["\(file)\t-\t\(outer)"])
                #expect(frames.first?.count == 1)
                #expect(frames.at(0, 0, "function") == nil)
            }
        }

        @Test func debugInformationInAFileBesideIsFound() async throws {
            try await Workshop.open { shop in
                let file = try await shop.compile(Programs.inlined, "split", ["-no-pie", "-Wl,-Ttext-segment=0x0"])
                let outer = String(try await shop.symbol("outer", in: file), radix: 16)
                try await Workshop.run("/usr/bin/objcopy", ["--only-keep-debug", file, file + ".debug"])
                try await Workshop.run(
                    "/usr/bin/objcopy", ["--strip-all", "--add-gnu-debuglink=" + file + ".debug", file])
                let frames = try await shop.symbolize(["\(file)\t-\t\(outer)"])
                #expect(frames.at(0, 0, "function")?.text == "inner")
                #expect(frames.at(0, 1, "line")?.integer == 6)
            }
        }

        @Test func anotherBuildOfTheFileIsNotNamed() async throws {
            try await Workshop.open { shop in
                let flags = ["-no-pie", "-Wl,-Ttext-segment=0x0", "-Wl,--build-id=sha1"]
                let file = try await shop.compile(Programs.inlined, "built", flags)
                let outer = String(try await shop.symbol("outer", in: file), radix: 16)
                let frames = try await shop.symbolize(["\(file)\t0123456789abcdef0123456789abcdef01234567\t\(outer)"])
                #expect(frames.at(0, 0, "function") == nil)
                #expect(frames.at(0, 0, "problem")?.text == "build id differs")
            }
        }

        @Test func garbageIsAnsweredRequestByRequest() async throws {
            try await Workshop.open { shop in
                let text = try shop.write("no ELF at all", to: "text")
                let whole = try await shop.compile(Programs.inlined, "whole")
                let cut = try shop.write("", to: "cut")
                let bytes = try await Workshop.run("/usr/bin/head", ["-c", "5000", whole]).stdout
                let copied = try await Workshop.run("/usr/bin/tee", [cut], input: bytes)
                #expect(copied.status.isSuccess)
                let requests = [
                    "", "\t", "no tab", "\(text)\t-\t10", "/nowhere/at/all\t-\t10", "\(cut)\t-\t1100",
                    "\(whole)\t-\tzz",
                    "\(whole)\t-\tffffffffffffffff", "/dev/zero\t-\t0", shop.directory + "\t-\t0",
                    "\u{1}\u{ff}\t\u{2}\t\u{3}",
                ]
                let frames = try await shop.symbolize(requests)
                #expect(frames.count == requests.count)
                for (request, answer) in zip(requests, frames) {
                    #expect(answer.count == 1, "\(request)")
                    #expect(answer.first?["line"] == nil, "\(request)")
                }
            }
        }

        @Test func namesArePlain() {
            #expect(
                Demangling.plain("_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE") == "core::fmt::Write::write_fmt")
            #expect(Demangling.plain("_ZN3foo3barEi") == "foo::bar(int)")
            #expect(Demangling.plain("main") == "main")
            #expect(Demangling.plain("$s4main3fooyS2iF") == "foo(_:)")
            #expect(Demangling.plain("$s nonsense") == "$s nonsense")
            #expect(Demangling.plain("_Znonsense") == "_Znonsense")
        }

        @Test(arguments: [
            (
                "static M.Box.(run in _69971E0F72397EB7E706B3A21BB41A9F)<A where A: M.H>(A, with: [Swift.Int]) async -> M.E",
                "Box.run(_:with:)"
            ),
            (
                "closure #1 @Sendable (M.A, F.Data) -> M.E in M.Box.init<A where A: M.H>(A) -> M.Box",
                "closure #1 in Box.init(_:)"
            ),
            ("closure #1 in closure #2 () -> () in M.f()", "closure #1 in closure #2 in f()"),
            (
                "generic specialization <Swift.Array<M.E>, M.F> of static M.Call.reach<A>(M.A, while: () -> A) -> A",
                "Call.reach(_:while:)"
            ),
            (
                "(2) await resume partial function for M.Trap.run(_: M.NoArgs, M.Context) async throws -> Swift.Int",
                "Trap.run(_:_:)"
            ),
            (
                "protocol witness for Kit.Handler.run(A.Args, Kit.Context) async throws -> A.Result in conformance M.Trap : Kit.Handler in M",
                "Trap.run(_:_:)"
            ),
            ("@objc M.Box.raw.getter : __C.pawl_handler", "Box.raw.getter"),
            (
                "Swift._assertionFailure(_: Swift.StaticString, file: Swift.StaticString, line: Swift.UInt) -> Swift.Never",
                "_assertionFailure(_:file:line:)"
            ),
            ("(extension in M):Swift.Array.sum() -> A", "Array.sum()"),
            ("((", "(_:)"), ("", ""), ("<>(", "<>()"), ("protocol witness for ", ""),
        ])
        func swiftNamesAreWhatPeopleWrite(_ name: String, _ expected: String) {
            #expect(SwiftNames.simplified(name) == expected)
        }

        @Test func baseNamesAreCompletedByTheirThunks() {
            #expect(
                Inspector.qualified(["run", "Trap.run(_:)", nil, "run"]) == [
                    "Trap.run(_:)", "Trap.run(_:)", nil, "run",
                ])
            #expect(Inspector.qualified(["dig", "Trap.run(_:)"]) == ["dig", "Trap.run(_:)"])
            #expect(Inspector.qualified([]) == [])
        }

        @Test func theFormOfCallsIsChecked() async throws {
            try await Workshop.open { _ in
                for arguments in [[], ["process"], ["process", "x"], ["process", "0"], ["symbolize", "x"], ["else"]] {
                    let output = try await Workshop.run(TestBinaries.inspector, arguments)
                    #expect(output.status == .code(64), "\(arguments)")
                    #expect(output.stderrText.hasPrefix("usage: pawl-inspect"))
                }
            }
        }
    }
}

extension [[JSONValue]] {
    fileprivate func at(_ request: Int, _ frame: Int, _ member: String) -> JSONValue? {
        indices.contains(request) && self[request].indices.contains(frame) ? self[request][frame][member] : nil
    }
}
