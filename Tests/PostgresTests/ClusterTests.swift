import Testing
import UVLoop

@testable import EmbeddedPostgres

/// What needs no server.
@Suite struct ClusterTests {
    @Test func readsPostmasterPID() {
        let text = "4711\n/data/base\n1700000000\n5432\n/run/pawl\n\n  5432001   12345\nready   \n"
        let file = PostmasterFile(parsing: text)
        #expect(file?.pid == 4711)
        #expect(file?.dataDirectory == "/data/base")
        #expect(file?.startTime == 1_700_000_000)
        #expect(file?.socketDirectory == "/run/pawl")
        #expect(file?.status == "ready")
    }

    @Test(arguments: ["", "12", "x\n/d\n1\n", "0\n/d\n1\n", "-5\n/d\n1\n", "12\n/d\nx\n"])
    func refusesWhatIsNoPostmasterPID(text: String) {
        #expect(PostmasterFile(parsing: text) == nil)
    }

    @Test func anUnfinishedFileIsNotReady() {
        #expect(PostmasterFile(parsing: "4711\n/data\n1700000000\n5432\n")?.status == "")
    }

    @Test func restartsAtOnceAfterAHealthyMinuteElseMoreAndMoreSlowly() {
        func at(_ seconds: UInt64) -> LoopInstant { LoopInstant(nanoseconds: seconds * 1_000_000_000) }
        var backoff = RestartBackoff()
        backoff.started(at: at(0))
        #expect(backoff.ended(at: at(100)) == .zero)
        #expect(backoff.ended(at: at(100)) == .milliseconds(200))
        #expect(backoff.ended(at: at(101)) == .milliseconds(400))
        for _ in 0..<20 { #expect(backoff.ended(at: at(102)) <= .seconds(10)) }
        backoff.started(at: at(200))
        #expect(backoff.ended(at: at(230)) == .seconds(10))
        backoff.started(at: at(300))
        #expect(backoff.ended(at: at(360)) == .zero)
    }

    @Test func settingsAreQuotedAndOverridable() {
        let configuration = ClusterConfiguration(
            layout: ClusterLayout(base: #"/it's a\place"#), socketDirectory: "/run/x",
            overrides: ["max_connections": "7", "cluster_name": "a"], hasLocalConfig: true)
        #expect(configuration.server.contains(#"data_directory = '/it\'s a\\place/data'"#))
        #expect(configuration.server.contains("max_connections = '7'"))
        #expect(!configuration.server.contains("max_connections = '60'"))
        #expect(configuration.server.contains("cluster_name = 'a'"))
        #expect(configuration.server.contains(#"include = '/it\'s a\\place/local.conf'"#))
        #expect(configuration.connectionString == "host='/run/x' port=5432 user=pawl dbname=postgres")
    }

    @Test func errorsSayWhatToDo() {
        #expect(EmbeddedPostgresError.notInstalled(major: 15, searched: ["/a"]).description.contains("postgresql-15"))
        #expect(EmbeddedPostgresError.noUser("postgres").description.contains("--database-url"))
        #expect(EmbeddedPostgresError.inUse(dataDirectory: "/d", holder: "process 5").description.contains("process 5"))
    }
}
