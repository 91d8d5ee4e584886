import ArgumentParser
import JobCore

/// `pawl ui`: a link that opens the page.
struct UICommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "ui",
        abstract: "Print a one-time link that opens the page.",
        discussion: """
            The link signs one browser in and works once, for a short time.

            EXAMPLES
              pawl ui
              xdg-open "$(pawl ui)"
              pawl ui --data-dir /var/lib/pawl
            """)

    @OptionGroup var connection: ConnectionOptions

    func execute(_ session: ClientSession) throws {
        let answer = try session.send("POST", "/api/v1/auth/links").json
        if session.wantsJSON { return session.printJSON(answer) }
        guard let url = answer["url"]?.text else {
            throw ClientFailure(exit: .bug, message: "The server made no link.")
        }
        // The server may know only its path; it is reached as we reached it.
        session.terminal.out.writeLine(url.hasPrefix("/") ? session.client.server.url + url : url)
    }
}

/// `pawl api`: any request, signed in.
struct APICommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "api",
        abstract: "Send any request to the API, signed in.",
        discussion: """
            Prints the answer's body as it came. The exit code is 0 for 2xx, otherwise that of the problem.

            EXAMPLES
              pawl api GET '/api/v1/runs?limit=1'
              pawl api POST /api/v1/runs --data '{"job": "mischief.noop"}'
              pawl api POST /api/v1/runs --data @- < run.json
            """)

    @OptionGroup var connection: ConnectionOptions

    @Argument(help: "GET, POST, PUT, PATCH or DELETE.")
    var method: String

    @Argument(help: "The path with its query. /api/v1 may be left out.")
    var path: String

    @Option(help: ArgumentHelp("The body: text, @FILE, or @- for standard input.", valueName: "data"))
    var data: String?

    @Option(
        name: [.customShort("H"), .customLong("header")], help: ArgumentHelp("A header.", valueName: "name: value"))
    var headers: [String] = []

    func execute(_ session: ClientSession) throws {
        var path = self.path.hasPrefix("/") ? self.path : "/" + self.path
        let isRoot = ["/livez", "/readyz", "/metrics", "/startupz"].contains { path == $0 || path.hasPrefix($0 + "?") }
        if !path.hasPrefix("/api/"), !path.hasPrefix("/admin/"), !isRoot, path != "/" { path = "/api/v1" + path }
        var request = HTTPClient.Request(method: self.method.uppercased(), path: path)
        for header in self.headers {
            guard let colon = header.firstIndex(of: ":") else {
                throw ClientFailure(exit: .usage, message: "\"\(header)\" is no header: write \"Name: value\".")
            }
            let value = header[header.index(after: colon)...].drop { $0 == " " }
            request.headers.append((String(header[..<colon]), String(value)))
        }
        if let data {
            request.body = try ArgumentsBuilder.bytes(data).bytes
            if !request.headers.contains(where: { $0.name.lowercased() == "content-type" }) {
                request.headers.append(("Content-Type", "application/json"))
            }
        }
        let response = try session.client.send(request)
        session.terminal.out.write(response.body)
        if session.terminal.out.isTerminal, response.body.last != UInt8(ascii: "\n"), !response.body.isEmpty {
            session.terminal.out.writeLine()
        }
        guard response.isSuccess || response.status == 304 else {
            session.talk("HTTP \(response.status)")
            throw ClientExit(status: response.status).code
        }
    }
}

/// `pawl version`: of this program and of the server.
struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the version of this program, and of the server if one answers.",
        discussion: """
            EXAMPLES
              pawl version
              pawl version --json
              pawl version --server http://other:7070
            """)

    @OptionGroup var connection: ConnectionOptions

    func run() throws {
        let environment = Terminal.environment()
        let terminal = Terminal(environment: environment)
        let own = ClientVersion.current
        var server: JSONValue?
        var reason: ClientFailure?
        do {
            let address = try ServerLocator(
                server: self.connection.server, token: self.connection.token,
                dataDirectory: self.connection.dataDirectory, authorities: self.connection.authorities,
                environment: environment
            ).locate()
            let session = ClientSession(
                client: try HTTPClient(server: address), terminal: terminal, wantsJSON: self.connection.json)
            server = try session.get("/api/v1/system")
        } catch {
            reason = error
        }
        if self.connection.json {
            terminal.out.writeLine(
                JSONValue.members(["client": .members(["version": .string(own)]), "server": server ?? .null]).json)
        } else {
            terminal.out.writeLine("pawl \(own)")
            if let server {
                let sha = server["git_sha"]?.text.map { $0.isEmpty ? "" : " (\($0.prefix(12)))" } ?? ""
                terminal.out.writeLine("server \(server["version"]?.text ?? "unknown")\(sha)")
            }
        }
        // A server that was named and does not answer is an error; none at all is no surprise.
        if let reason, self.connection.server != nil || self.connection.dataDirectory != nil {
            terminal.report(reason)
            throw reason.exit.code
        }
        if let reason, !self.connection.json { terminal.talk.writeLine("server: " + Table.printable(reason.message)) }
    }
}
