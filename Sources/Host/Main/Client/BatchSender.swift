import JobCore

/// Gathers lines into batches, sends them, and tells what became of each line.
struct BatchSender {
    let session: ClientSession
    let isWhole: Bool
    let key: String
    let isQuiet: Bool

    private var body: [UInt8] = []
    /// Of the items in `body`.
    private var lines: [Int] = []
    /// Lines that are no JSON, with the words for it; they are not sent.
    private var broken: [(line: Int, words: String)] = []
    private var batches = 0
    private var taken = 0
    private var refused = 0

    /// An answer that says "later" is believed this often, a second apart.
    private static let tries = 5

    init(session: ClientSession, isWhole: Bool, key: String, isQuiet: Bool) {
        self.session = session
        self.isWhole = isWhole
        self.key = key
        self.isQuiet = isQuiet
    }

    var count: Int { self.lines.count + self.broken.count }
    var byteCount: Int { self.body.count }

    mutating func add(_ item: [UInt8], line: Int) {
        do throws(JSONFault) {
            _ = try JSONText.check(item)
        } catch {
            self.broken.append((line, "no JSON: \(error)"))
            return
        }
        if !self.lines.isEmpty { self.body.append(UInt8(ascii: ",")) }
        self.body += item
        self.lines.append(line)
    }

    /// Sends what has been gathered.
    mutating func flush() throws(ClientFailure) {
        defer {
            self.body = []
            self.lines = []
            self.broken = []
        }
        if self.isWhole, !self.broken.isEmpty {
            throw ClientFailure(
                exit: .invalidInput, message: "Nothing was enqueued.",
                details: self.broken.map { "line \($0.line): \($0.words)" })
        }
        var items: [JSONValue] = []
        if !self.lines.isEmpty {
            items = try self.post()["items"]?.elements ?? []
            guard items.count == self.lines.count else {
                throw ClientFailure(
                    exit: .bug, message: "The host answered for \(items.count) of \(self.lines.count) runs.")
            }
        }
        self.tell(items)
    }

    /// Says how many there were; fails if any was refused.
    func finish() throws(ClientFailure) {
        if self.session.terminal.talk.isTerminal || self.refused > 0 {
            self.session.talk("\(self.taken) enqueued" + (self.refused > 0 ? ", \(self.refused) refused" : ""))
        }
        if self.refused > 0 { throw ClientFailure(exit: .invalidInput, message: "Some lines were refused.") }
    }

    /// The same key each time: what was taken, but not answered, is not taken twice.
    private mutating func post() throws(ClientFailure) -> JSONValue {
        let mode = self.isWhole ? "all_or_nothing" : "per_item"
        let whole = Array("{\"mode\":\"\(mode)\",\"items\":[".utf8) + self.body + Array("]}".utf8)
        let key = JSONValue.string("\(self.key)-\(self.batches)").json
        self.batches += 1
        var tries = Self.tries
        while true {
            do throws(ClientFailure) {
                return try self.session.post("/api/v1/runs/batch", bytes: whole, headers: [("Idempotency-Key", key)])
            } catch {
                tries -= 1
                guard error.exit == .tryLater || error.exit == .unreachable, tries > 0 else { throw error }
                Interrupt.sleep(milliseconds: 1000)
            }
        }
    }

    private mutating func tell(_ items: [JSONValue]) {
        var output = ""
        var broken = self.broken[...]
        var next = 0
        // In the order of the lines, those that were not sent among the others.
        while next < items.count || !broken.isEmpty {
            if let first = broken.first, next == items.count || first.line < self.lines[next] {
                self.refuse(first.line, first.words)
                broken = broken.dropFirst()
                output += "\n"
                continue
            }
            let item = items[next]
            if let id = item["id"]?.text {
                self.taken += 1
                output += (self.session.wantsJSON ? item.json : id) + "\n"
            } else {
                self.refuse(self.lines[next], Self.words(item))
                output += (self.session.wantsJSON ? item.json : "") + "\n"
            }
            next += 1
        }
        if !self.isQuiet { self.session.terminal.out.write(output) }
    }

    private mutating func refuse(_ line: Int, _ words: String) {
        self.refused += 1
        self.session.talk("line \(line): \(Table.printable(words))")
    }

    private static func words(_ item: JSONValue) -> String {
        let details = (item["errors"]?.elements ?? []).compactMap { $0["detail"]?.text }
        return details.isEmpty ? item["detail"]?.text ?? "refused" : details.joined(separator: "; ")
    }
}
