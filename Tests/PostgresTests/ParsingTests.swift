import Testing

@testable import Postgres

@Suite struct ParsingTests {
    @Test func splitsHostsAndPorts() throws {
        let options = try ConnectionOptions(parsing: "host=a,/run/x,::1 port=1,2,3 dbname=d")
        let endpoints = try options.endpoints()
        #expect(endpoints.map(\.host) == ["a", "/run/x", "::1"])
        #expect(endpoints.map(\.port) == ["1", "2", "3"])
        #expect(endpoints.map(\.needsLookup) == [true, false, true])
    }

    @Test func onePortServesAllHosts() throws {
        let options = try ConnectionOptions(parsing: "postgresql://u:p@a,b:/d?target_session_attrs=read-write")
        #expect(try options.endpoints().count == 2)
        let second = try ConnectionOptions(parsing: "host=a,b port=6000").endpoints()
        #expect(second.map(\.port) == ["6000", "6000"])
    }

    @Test func addressesNeedNoLookup() throws {
        let endpoints = try ConnectionOptions(parsing: "host=db.example hostaddr=192.0.2.1").endpoints()
        #expect(endpoints == [.init(host: "db.example", address: "192.0.2.1", port: endpoints[0].port)])
        #expect(!endpoints[0].needsLookup)
    }

    @Test func theEnvironmentsAddressIsForTheEnvironmentsHost() throws {
        let defaults = ["hostaddr": "192.0.2.9", "port": "5432"]
        let named = try ConnectionOptions(explicit: ["host": "/run/x"], defaults: defaults).endpoints()
        #expect(named == [.init(host: "/run/x", address: nil, port: "5432")])
        let unnamed = try ConnectionOptions(explicit: [:], defaults: defaults).endpoints()
        #expect(unnamed == [.init(host: nil, address: "192.0.2.9", port: "5432")])
    }

    @Test(arguments: ["host=a,b port=1,2,3", "host=a,b hostaddr=192.0.2.1"])
    func countsMustAgree(text: String) throws {
        let options = try ConnectionOptions(parsing: text)
        #expect(throws: PostgresError.self) { try options.endpoints() }
    }

    @Test func aBrokenStringIsAnErrorThatDoesNotQuoteIt() throws {
        let error = #expect(throws: PostgresError.self) { try ConnectionOptions(parsing: "password=secret oops") }
        #expect(error?.description.contains("oops") == false)
    }

    @Test func sessionSettingsAreEscaped() throws {
        var configuration = PostgresConfiguration(connectionString: "options='-c jit=off'")
        configuration.sessionSettings = ["search_path": #"a b,\c"#]
        let options = try ConnectionOptions(parsing: configuration.connectionString)
        let parameters = options.parameters(for: nil, configuration, attributes: nil)
        #expect(parameters["options"] == #"-c jit=off -c search_path=a\ b,\\c"#)
    }

    @Test func readsGetentsOutput() {
        let text =
            "2001:db8::1     STREAM db.example\n2001:db8::1     DGRAM\n192.0.2.7       STREAM\n192.0.2.7  RAW\nnoise\n"
        #expect(hostAddresses(inGetentOutput: text) == ["2001:db8::1", "192.0.2.7"])
    }

    @Test func readsTheServersWordsInAConnectError() {
        let text = """
            connection to server on socket "/run/.s.PGSQL.5432" failed: FATAL:  3D000: database "x" does not exist
            LOCATION:  InitPostgres, postinit.c:885

            """
        let error = PostgresError(connectMessage: text)
        #expect(error.sqlState == .invalidCatalogName)
        #expect(error.message.hasSuffix(#"FATAL: database "x" does not exist"#))
        #expect(!error.isTransient)
    }

    @Test func quotesIdentifiers() {
        #expect(quoteIdentifier(#"a"b"#) == #""a""b""#)
    }

    @Test func statementVariantsFollowTheTypes() {
        var cache = StatementCache()
        let statement = PGStatement(name: "s", sql: "SELECT $1")
        #expect(cache.use(statement, types: [.int8]) == ("s", true))
        #expect(cache.use(statement, types: [.null]) == ("s", false))
        #expect(cache.use(statement, types: [.float8]) == ("s#1", true))
        #expect(cache.use(statement, types: [.float8]) == ("s#1", false))
        cache.forget(statement, serverName: "s")
        #expect(cache.use(statement, types: [.int8]) == ("s#2", true))
    }

    @Test func fifoKeepsOrder() {
        var queue = FIFO<Int>()
        var expected: [Int] = []
        for n in 0..<1000 {
            queue.append(n)
            expected.append(n)
            if n % 3 != 0 {
                #expect(queue.first == expected.removeFirst())
                queue.removeFirst()
            }
        }
        #expect(queue.count == expected.count)
        #expect(queue.drain() == expected)
        #expect(queue.isEmpty)
    }
}
