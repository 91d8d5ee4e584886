import ArgumentParser
import JobCore

/// `pawl enqueue`: many runs, one JSON object per line, a batch at a time while they are read.
struct EnqueueCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "enqueue",
        abstract: "Enqueue many runs from a file or standard input.",
        discussion: """
            Each line is a JSON object: {"job": …, "args": {…}} and any other field of POST /runs, or with --job just the \
            arguments. Lines are sent in batches while they are read, so the input may be without end. Prints the runs' ids \
            in the order of the lines, an empty line for one that was refused; why it was refused is said on standard error. \
            Exits with 65 if there was any.

            With --all-or-nothing, one line that is refused refuses all; then there are 10,000 lines at most.

            EXAMPLES
              pawl enqueue --file runs.jsonl
              psql -At -c "SELECT json_build_object('id', id) FROM customer" | pawl enqueue --job mail.send
              pawl enqueue --file runs.jsonl --idempotency-key import-2026-11-21
            """)

    @OptionGroup var connection: ConnectionOptions

    @Option(help: ArgumentHelp("The file to read; otherwise standard input.", valueName: "path"))
    var file: String?

    @Option(help: ArgumentHelp("Each line is the arguments of a run of this job.", valueName: "name"))
    var job: String?

    @Flag(name: .customLong("all-or-nothing"), help: "One line that is refused refuses all.")
    var allOrNothing = false

    @Option(
        name: .customLong("batch"), help: ArgumentHelp("Lines sent at a time, 1 to 10,000.", valueName: "lines"))
    var batchSize = 1000

    @Option(
        name: .customLong("idempotency-key"),
        help: ArgumentHelp(
            "Repeating the command with the same key, lines and --batch makes no second runs.", valueName: "key"))
    var idempotencyKey: String?

    @Flag(help: "Do not print the ids.")
    var quiet = false

    /// The host's limits, with room for what stands around the items.
    private static let mostLines = 10_000
    private static let mostBytes = 24 << 20

    func validate() throws {
        guard (1...Self.mostLines).contains(batchSize) else {
            throw ValidationError("--batch must be 1 to 10,000.")
        }
        if let idempotencyKey, !(1...200).contains(idempotencyKey.utf8.count) {
            throw ValidationError("--idempotency-key must have 1 to 200 characters.")
        }
    }

    func execute(_ session: ClientSession) throws {
        var lines = try LineReader(path: file)
        var sender = BatchSender(
            session: session, isWhole: allOrNothing, key: idempotencyKey ?? Self.freshKey(), isQuiet: quiet)
        let limit = allOrNothing ? Self.mostLines : batchSize
        while let line = try lines.next() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            if sender.count == limit || sender.byteCount + line.count > Self.mostBytes {
                guard !allOrNothing else {
                    throw ClientFailure(
                        exit: .usage, message: "All or nothing goes up to \(Self.mostLines) lines and 24 MB.")
                }
                try sender.flush()
            }
            sender.add(item(line), line: lines.number)
        }
        try sender.flush()
        try sender.finish()
    }

    private func item(_ line: [UInt8]) -> [UInt8] {
        guard let job else { return line }
        return Array("{\"job\":\(JSONText.quoted(job)),\"args\":".utf8) + line + [UInt8(ascii: "}")]
    }

    private static func freshKey() -> String {
        "enqueue-" + String(UInt64.random(in: 0 ... .max), radix: 36) + String(UInt64.random(in: 0 ... .max), radix: 36)
    }
}
