import Glibc
import JobCore
import JobStore
import Testing
import UVLoop

@testable import ControlPlane
@testable import NIOLibuv

/// Users of this machine, by the Unix socket.
@Suite struct PeerTests {
    @Test func theGreatestRoleThatFitsCounts() {
        let rules = PeerRules(
            users: [1: .init(name: "ann", role: .viewer), 2: .init(name: "bob", role: .owner)],
            groups: [10: .operator, 11: .admin])
        func role(_ uid: UInt32, _ gid: UInt32, _ groups: [UInt32] = []) -> Role? {
            rules.role(of: PeerCredentials(pid: 1, uid: uid, gid: gid, groups: groups))
        }
        #expect(role(1, 1) == .viewer)
        #expect(role(1, 10) == .operator)
        #expect(role(1, 10, [12, 11]) == .admin)
        #expect(role(2, 10) == .owner)
        #expect(role(3, 3) == nil && role(3, 3, [4, 5]) == nil)
        #expect(role(3, 3, [10]) == .operator)
        #expect(Principal(PeerCredentials(pid: 1, uid: 1, gid: 1), rules)?.name == "unix:ann")
        #expect(Principal(PeerCredentials(pid: 1, uid: 3, gid: 10), rules)?.name == "unix:3")
        #expect(Principal(PeerCredentials(pid: 1, uid: 4, gid: 4), rules) == nil)
    }

    @Test func sandboxesAreKnownByTheirFilters() {
        #expect(PeerSandbox.filters(in: "Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t3\n") == 3)
        #expect(PeerSandbox.filters(in: "Seccomp:\t0\n") == 0)
        #expect(PeerSandbox.filters(in: "Seccomp:\t2\n") == 1)
        #expect(!PeerSandbox.confines(getpid()))
        #expect(PeerSandbox.confines(Int32.max), "who is gone cannot be looked at")
        #expect(!PeerSandbox.confines(getpid(), isStillThere: { true }))
        #expect(PeerSandbox.confines(getpid(), isStillThere: { false }), "the number is another's")
    }

    /// A number may be another's when it is looked at; the kernel keeps the process itself.
    @Test func whoConnectedIsToldFromItsNumber() throws {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        defer { for fd in pair { close(fd) } }
        #expect(PeerCredentials.isAlive(socket: pair[0]) != false)
    }

    /// Connects for real, and asks who it is.
    private func whoami(_ rules: PeerRules, _ header: String = "") async throws -> (status: Int, text: String) {
        var template = Array("/tmp/pawl-peer-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { rmdir(directory) }
        let path = directory + "/s"
        let harness = try await LoopActor.test {
            let harness = try await Harness {
                $0.listen = [.unix(path: path)]
                $0.peers = rules
            }
            _ = try harness.plane.start()
            return harness
        }
        let client = try RawClient(.unix(path: path))
        client.send("GET /api/v1/auth/whoami HTTP/1.1\r\nHost: anything\r\n\(header)\r\n")
        let answer = try client.answer()
        await harness.plane.shutdown(grace: .seconds(1))
        await harness.store.shutdown()
        let found = try #require(answer)
        return (found.status, found.text)
    }

    @Test func theKernelSaysWhoConnects() async throws {
        let own = PeerRules(users: [geteuid(): .init(name: "me", role: .operator)])
        let known = try await whoami(own)
        #expect(known.status == 200 && known.text.contains("\"unix:me\"") && known.text.contains("\"operator\""))
        let member = try await whoami(PeerRules(groups: [getegid(): .viewer]))
        #expect(member.status == 200 && member.text.contains("\"viewer\"") && member.text.contains("\"peer\""))
        #expect(try await whoami(PeerRules(users: [geteuid() + 1: .init(name: "other", role: .owner)])).status == 401)
        // A token says more than the socket, also if it is wrong.
        let token = try await whoami(own, "Authorization: Bearer \(Harness.token)\r\n")
        #expect(token.status == 200 && token.text.contains("\"admin\""))
        #expect(try await whoami(own, "Authorization: Bearer wrong\r\n").status == 401)
    }
}
