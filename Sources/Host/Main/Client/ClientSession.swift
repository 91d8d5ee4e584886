import JobCore

/// One command's connection to the host, with the calls that commands share.
struct ClientSession {
    let client: HTTPClient
    let terminal: Terminal
    let wantsJSON: Bool

    // MARK: Requests

    /// A GET that must succeed.
    func get(_ path: String, _ query: [(String, String?)] = []) throws(ClientFailure) -> JSONValue {
        try self.call(.init(path: path + Self.query(query))).json
    }

    /// The same, again and again for three seconds at most while the answer says that something of it is on its way.
    func get(
        _ path: String, _ query: [(String, String?)] = [], whilePending isPending: (JSONValue) -> Bool
    ) throws(ClientFailure) -> JSONValue {
        let start = monotonicNanoseconds()
        while true {
            let answer = try self.get(path, query)
            guard isPending(answer), monotonicNanoseconds() - start < 3_000_000_000, Interrupt.received == nil else {
                return answer
            }
            Interrupt.sleep(milliseconds: 100)
        }
    }

    /// A GET that must succeed, with the tag to change what it showed.
    func getTagged(_ path: String) throws(ClientFailure) -> (json: JSONValue, tag: String?) {
        let answer = try self.call(.init(path: path))
        return (answer.json, answer.tag)
    }

    /// A request with a JSON body that must succeed.
    func send(
        _ method: String, _ path: String, _ body: JSONValue? = nil, headers: [(name: String, value: String)] = []
    ) throws(ClientFailure) -> (status: Int, json: JSONValue) {
        var request = HTTPClient.Request(method: method, path: path, headers: headers)
        if let body {
            request.headers.append(("Content-Type", "application/json"))
            request.body = Array(body.json.utf8)
        }
        let answer = try self.call(request)
        return (answer.status, answer.json)
    }

    /// A POST of JSON text that must succeed.
    func post(
        _ path: String, bytes: [UInt8], headers: [(name: String, value: String)]
    ) throws(ClientFailure) -> JSONValue {
        var request = HTTPClient.Request(method: "POST", path: path, headers: headers)
        request.headers.append(("Content-Type", "application/json"))
        request.body = bytes
        return try self.call(request).json
    }

    private func call(
        _ request: HTTPClient.Request
    ) throws(ClientFailure) -> (status: Int, json: JSONValue, tag: String?) {
        var request = request
        request.headers.append(("Accept", "application/json"))
        let response = try self.client.send(request)
        guard response.isSuccess else {
            throw ProblemDetails.failure(
                status: response.status, body: response.body, request: "\(request.method) \(request.path)")
        }
        let tag = response.header("etag")
        if response.body.isEmpty { return (response.status, .null, tag) }
        do {
            return (response.status, try JSONValue(parsing: response.body), tag)
        } catch {
            throw ClientFailure(
                exit: .bug, message: "\(request.method) \(request.path) was answered with something that is no JSON.",
                details: ["\(error)"])
        }
    }

    // MARK: Output

    /// Prints JSON as data: for eyes on a terminal, on one line in a pipe.
    func printJSON(_ value: JSONValue) {
        self.terminal.out.writeLine(self.terminal.out.isTerminal ? value.pretty : value.json)
    }

    func talk(_ text: String) { self.terminal.talk.writeLine(text) }

    /// Asks a question on the terminal; false for anything but yes. Without a terminal nobody can be asked: fails with
    /// the exit code for wrong usage and names the switch that answers.
    func confirm(_ question: String, switchName: String = "--yes") throws(ClientFailure) -> Bool {
        guard self.terminal.talk.isTerminal, Terminal.standardInputIsTerminal else {
            throw ClientFailure(
                exit: .usage, message: "Nothing was changed: nobody is here to ask.",
                details: ["add \(switchName) to go on without a question"])
        }
        self.terminal.talk.write("\(question) [y/N] ")
        let answer = (readLine() ?? "").lowercased()
        return answer == "y" || answer == "yes"
    }

    // MARK: Paths

    /// "?a=b&c=d" of the pairs that have a value; "" when there are none.
    static func query(_ pairs: [(String, String?)]) -> String {
        let given = pairs.compactMap { name, value in value.map { "\(Self.escape(name))=\(Self.escape($0))" } }
        return given.isEmpty ? "" : "?" + given.joined(separator: "&")
    }

    /// Percent-encodes everything but the unreserved characters of RFC 3986, so that any name fits into a path.
    static func escape(_ text: String) -> String {
        var out = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let hex = String(byte, radix: 16, uppercase: true)
                out += byte < 16 ? "%0\(hex)" : "%\(hex)"
            }
        }
        return out
    }
}
