import JobCore
import Logging
import UVLoop

/// The keys that tokens are signed with: from their file, and anew when it has changed; or from their address, anew from time to
/// time and when a token names one that is not known. What cannot be had, or holds no key, changes nothing: the old ones count.
@LoopActor
final class JWTBook {
    let rules: JWTRules
    private(set) var keys: [JWTKey] = []
    /// Nil: for those who have only files.
    private let fetcher: (any JWTKeyFetching)?
    private let logger: Logger
    private var stamp: FileStamp??
    /// The last look at the file, or at the address.
    private var lookedAt: LoopInstant?
    private var gotAt: LoopInstant?
    private var fetching: Task<Void, Never>?
    /// Fetches since the start.
    private(set) var fetches = (done: 0, failed: 0)

    /// The file is not looked at more often.
    static let interval = Duration.seconds(2)
    /// Keys from an address that are older are fetched again, while the old ones count.
    static let age = Duration.seconds(300)
    /// The address is not asked more often, whatever tokens name.
    static let pause = Duration.seconds(30)
    /// As long as there are no keys at all.
    static let impatience = Duration.seconds(5)

    init(rules: JWTRules, logger: Logger, fetcher: (any JWTKeyFetching)? = nil) {
        self.rules = rules
        self.logger = logger
        self.fetcher = fetcher
    }

    /// Fetches keys before the first token needs them.
    func begin(at now: LoopInstant = .now) {
        if case .address(let url) = rules.source { fetchOnce(url, now) }
    }

    /// Whom a token speaks for. May wait for keys.
    func principal(
        of token: some StringProtocol, now: WallTime, at moment: LoopInstant = .now
    ) async throws(JWTFault) -> Principal {
        switch rules.source {
        case .file(let path):
            refresh(path, at: moment)
            return try rules.principal(of: token, keys: keys, now: now)
        case .address(let url):
            if let gotAt, moment - gotAt >= Self.age, mayAsk(moment) { fetchOnce(url, moment) }
            do throws(JWTFault) {
                return try rules.principal(of: token, keys: keys, now: now)
            } catch {
                guard error == .key, await renewed(url, moment) else { throw error }
            }
            return try rules.principal(of: token, keys: keys, now: now)
        }
    }

    /// Reads the file if it has changed. One that cannot be read, or holds no key, changes nothing, and the log says so once.
    func refresh(_ path: String, at now: LoopInstant) {
        if let lookedAt, now - lookedAt < Self.interval { return }
        lookedAt = now
        let current = FileStamp(path)
        guard stamp != .some(current) else { return }
        stamp = .some(current)
        guard let read = JWTKeySource.keys(ofFile: path) else {
            logger.warning("keys of tokens cannot be read; the old ones count", metadata: ["file": "\(path)"])
            return
        }
        take(read)
    }

    /// Waits for a fetch that is under way, or begins one if it may. False: nothing has come in.
    private func renewed(_ url: String, _ now: LoopInstant) async -> Bool {
        if fetching == nil {
            guard mayAsk(now) else { return false }
            fetchOnce(url, now)
        }
        let before = fetches.done
        await fetching?.value
        return fetches.done > before
    }

    private func mayAsk(_ now: LoopInstant) -> Bool {
        lookedAt.map { now - $0 >= (keys.isEmpty ? Self.impatience : Self.pause) } ?? true
    }

    private func fetchOnce(_ url: String, _ now: LoopInstant) {
        guard fetching == nil else { return }
        lookedAt = now
        fetching = loopTask { [weak self] in
            guard let self else { return }
            do throws(KeyFetchFault) {
                guard let fetcher = self.fetcher else { throw KeyFetchFault("nothing here can fetch") }
                let bytes = try await fetcher.fetch(url)
                guard let found = JWTKeySource.keys(of: bytes) else {
                    throw KeyFetchFault("what came is no JWK set, or holds no key for EdDSA, ES256 or RS256")
                }
                self.fetches.done += 1
                self.gotAt = now
                self.take(found)
            } catch {
                self.fetches.failed += 1
                self.logger.warning(
                    "keys of tokens cannot be fetched; the old ones count",
                    metadata: ["url": "\(url)", "error": "\(error)", "count": "\(self.keys.count)"])
            }
            self.fetching = nil
        }
    }

    private func take(_ found: [JWTKey]) {
        let isNew = Set(found.map(\.id)) != Set(keys.map(\.id)) || found.count != keys.count
        keys = found
        guard isNew else { return }
        logger.info("keys of tokens", metadata: ["from": "\(rules.source.words)", "count": "\(found.count)"])
    }

    var families: [MetricFamily] {
        guard case .address = rules.source else { return [] }
        func outcome(_ word: String, _ count: Int) -> MetricSample {
            MetricSample(Double(count), [MetricLabel("result", word)])
        }
        return [
            MetricFamily(
                name: "pawl_jwt_key_fetches_total", help: "Times that keys of JSON Web Tokens were fetched.",
                kind: .counter, samples: [outcome("ok", fetches.done), outcome("failed", fetches.failed)]),
            MetricFamily("pawl_jwt_keys", "Keys of JSON Web Tokens that count.", .gauge, Double(keys.count)),
        ]
    }
}
