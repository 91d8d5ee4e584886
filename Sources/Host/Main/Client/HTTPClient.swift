import CCurl

/// Talks to one host over HTTP, one request at a time, blocking the calling thread. It is a client for a command line:
/// no loop, no threads, connections are kept between requests. Not for use inside the server.
final class HTTPClient {
    struct Request {
        var method = "GET"
        /// Path below the server's root, with its query: "/api/v1/runs?limit=50".
        var path: String
        var headers: [(name: String, value: String)] = []
        var body: [UInt8]?
    }

    struct Response {
        var status: Int
        /// Names in lower case.
        var headers: [(name: String, value: String)]
        var body: [UInt8]

        func header(_ name: String) -> String? { self.headers.first { $0.name == name }?.value }
        var isSuccess: Bool { (200..<300).contains(self.status) }
    }

    let server: ServerAddress
    private let multi: UnsafeMutableRawPointer
    private let easy: UnsafeMutableRawPointer

    init(server: ServerAddress) throws(ClientFailure) {
        guard curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK, let multi = curl_multi_init(),
            let easy = curl_easy_init()
        else { throw ClientFailure(exit: .bug, message: "libcurl cannot be started.") }
        self.server = server
        self.multi = multi
        self.easy = easy
    }

    deinit {
        curl_easy_cleanup(self.easy)
        curl_multi_cleanup(self.multi)
    }

    /// Sends the request and reads the whole answer, whatever its status.
    /// Fails with `.unreachable` when no answer comes, with `.interrupted` when a watched signal comes first.
    func send(_ request: Request) throws(ClientFailure) -> Response {
        try self.perform(request, onBody: nil)
    }

    /// Sends the request and hands each piece of a successful answer's body to `onBody` as it comes; the body of any other
    /// answer is in the response. `onBody` returns false to stop: the response then is what came so far.
    func stream(_ request: Request, onBody: @escaping ([UInt8]) -> Bool) throws(ClientFailure) -> Response {
        try self.perform(request, onBody: onBody)
    }

    private func perform(_ request: Request, onBody: (([UInt8]) -> Bool)?) throws(ClientFailure) -> Response {
        let transfer = Transfer(onBody: onBody)
        let easy = self.easy
        curl_easy_reset(easy)
        var list: UnsafeMutablePointer<curl_slist>?
        defer { curl_slist_free_all(list) }
        for header in self.server.headers + request.headers {
            list = curl_slist_append(list, "\(header.name): \(header.value)")
        }
        // Without this, curl waits a second for "100 Continue" before a body above 1 MB.
        list = curl_slist_append(list, "Expect:")

        let pointer = Unmanaged.passUnretained(transfer).toOpaque()
        var error = [CChar](repeating: 0, count: Int(CURL_ERROR_SIZE))
        let result: CURLcode = error.withUnsafeMutableBufferPointer { errorBuffer in
            (request.body ?? []).withUnsafeBytes { body in
                _ = pawl_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorBuffer.baseAddress)
                _ = pawl_curl_set_string(easy, CURLOPT_URL, self.server.root + request.path)
                if let socket = self.server.socketPath {
                    _ = pawl_curl_set_string(easy, CURLOPT_UNIX_SOCKET_PATH, socket)
                }
                _ = pawl_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, "http,https")
                if let authorities = self.server.authorities {
                    _ = pawl_curl_set_string(easy, CURLOPT_CAINFO, authorities)
                }
                _ = pawl_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method)
                if request.body != nil {
                    _ = pawl_curl_set_long(easy, CURLOPT_POST, 1)
                    _ = pawl_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
                    _ = pawl_curl_set_pointer(
                        easy, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: body.baseAddress ?? Self.noBytes))
                    // CURLOPT_POST chose the verb; the caller's choice wins.
                    _ = pawl_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, request.method)
                }
                if request.method == "HEAD" { _ = pawl_curl_set_long(easy, CURLOPT_NOBODY, 1) }
                _ = pawl_curl_set_list(easy, CURLOPT_HTTPHEADER, list)
                _ = pawl_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, 5_000)
                _ = pawl_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
                _ = pawl_curl_set_long(easy, CURLOPT_TCP_NODELAY, 1)
                _ = pawl_curl_set_string(easy, CURLOPT_NOPROXY, "*")
                _ = pawl_curl_set_data_callback(easy, CURLOPT_WRITEFUNCTION, Transfer.receiveBody)
                _ = pawl_curl_set_pointer(easy, CURLOPT_WRITEDATA, pointer)
                _ = pawl_curl_set_data_callback(easy, CURLOPT_HEADERFUNCTION, Transfer.receiveHeader)
                _ = pawl_curl_set_pointer(easy, CURLOPT_HEADERDATA, pointer)
                return withExtendedLifetime(transfer) { self.drive(transfer) }
            }
        }

        if Interrupt.received != nil && result != CURLE_OK && !transfer.stopped {
            throw ClientFailure(exit: .interrupted, message: "Interrupted.")
        }
        guard result == CURLE_OK || transfer.stopped else {
            let words = String(decoding: error.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw self.unreachable(words.isEmpty ? String(cString: curl_easy_strerror(result)) : words, request)
        }
        return Response(status: transfer.status, headers: transfer.headers, body: transfer.body)
    }

    /// Runs the transfer to its end, or until a watched signal comes: the multi interface is used for one handle because
    /// its wait returns on a signal, where the easy one would go on.
    private func drive(_ transfer: Transfer) -> CURLcode {
        guard curl_multi_add_handle(self.multi, self.easy) == CURLM_OK else { return CURLE_FAILED_INIT }
        defer { curl_multi_remove_handle(self.multi, self.easy) }
        while true {
            var running: Int32 = 0
            guard curl_multi_perform(self.multi, &running) == CURLM_OK else { return CURLE_FAILED_INIT }
            if running == 0 {
                var left: Int32 = 0
                while let message = curl_multi_info_read(self.multi, &left) {
                    if message.pointee.msg == CURLMSG_DONE { return message.pointee.data.result }
                }
                return CURLE_FAILED_INIT
            }
            if Interrupt.received != nil { return CURLE_ABORTED_BY_CALLBACK }
            // A signal cuts the wait short; the limit is for one that comes between the look and the wait.
            curl_multi_poll(self.multi, nil, 0, 250, nil)
        }
    }

    private func unreachable(_ reason: String, _ request: Request) -> ClientFailure {
        ClientFailure(
            exit: .unreachable, message: "No server answers at \(self.server.socketPath ?? self.server.url).",
            details: ["tried: \(request.method) \(self.server.root)\(request.path)", "reason: \(reason)"]
                + (self.server.origin.map { ["address from \($0)"] } ?? []) + [
                    "is a host running here? start one: pawl serve"
                ])
    }

    /// A place to point at when there are no bytes: libcurl takes NULL for "read the body from a callback".
    private static var noBytes: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 1)! }
}

/// The answer of one transfer while it comes in; lives as long as the call that owns it.
private final class Transfer {
    var status = 0
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// The caller has seen enough: an aborted transfer is no fault then.
    var stopped = false
    private let onBody: (([UInt8]) -> Bool)?
    /// Of what comes instead of a stream, in bytes.
    static let longestRefusal = 1 << 20

    init(onBody: (([UInt8]) -> Bool)?) { self.onBody = onBody }

    static let receiveBody: pawl_curl_data_callback = { bytes, size, count, user in
        let transfer = Unmanaged<Transfer>.fromOpaque(user!).takeUnretainedValue()
        let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
        guard let onBody = transfer.onBody, (200..<300).contains(transfer.status) else {
            transfer.body.append(contentsOf: piece)
            guard transfer.onBody != nil, transfer.body.count > Transfer.longestRefusal else { return piece.count }
            transfer.stopped = true
            return 0
        }
        if onBody(Array(piece)) { return piece.count }
        transfer.stopped = true
        return 0  // Not what was offered: libcurl ends the transfer.
    }

    static let receiveHeader: pawl_curl_data_callback = { bytes, size, count, user in
        let transfer = Unmanaged<Transfer>.fromOpaque(user!).takeUnretainedValue()
        let length = size * count
        let line = String(decoding: UnsafeRawBufferPointer(start: bytes, count: length), as: UTF8.self)
        transfer.receive(headerLine: line)
        return length
    }

    private func receive(headerLine line: String) {
        if line.hasPrefix("HTTP/") {
            // A new status line: an interim answer (100) came before the real one.
            self.headers = []
            self.status = line.split(separator: " ").dropFirst().first.flatMap { Int($0.prefix(3)) } ?? 0
            return
        }
        guard let colon = line.firstIndex(of: ":") else { return }
        let value = line[line.index(after: colon)...]
            .drop { $0 == " " || $0 == "\t" }.prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" }
        self.headers.append((line[..<colon].lowercased(), String(value)))
    }
}
