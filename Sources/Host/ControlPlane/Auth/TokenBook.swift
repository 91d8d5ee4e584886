import Crypto
import JobCore
import JobStore
import UVLoop

/// Opaque tokens: makes them, and knows again those that were used a moment ago, so that not every request asks the database.
///
/// A token that is revoked here ends at once; revoked through another host, within `lifetime`. While the database is away, those
/// that are known go on counting for `lastResort`.
@LoopActor
final class TokenBook {
    enum Answer {
        case found(TokenRow)
        case unknown
        /// The database is away.
        case unavailable
    }

    private enum Name: Hashable {
        case hash([UInt8])
        case id(Int64)
    }

    private struct Entry {
        var row: TokenRow
        var readAt: LoopInstant
    }

    static let lifetime = Duration.seconds(5)
    static let lastResort = Duration.seconds(300)
    /// More are not remembered; then the book begins anew.
    private static let limit = 10_000

    private let store: JobStore
    private var entries: [Name: Entry] = [:]
    private var touchedAt: [Int64: LoopInstant] = [:]
    /// Grows with `forget`: what was asked for before is not kept.
    private var generation = 0

    init(store: JobStore) { self.store = store }

    /// `pawl_` and 256 random bits; the prefix is for scanners that look for secrets in the wrong places.
    nonisolated static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        return "pawl_" + Base64URL.encode((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    nonisolated static func hash(_ token: some StringProtocol) -> [UInt8] {
        Array(SHA256.hash(data: Array(token.utf8)))
    }

    /// Whether it can be answered without the database.
    func knows(_ hash: [UInt8], now: LoopInstant = .now) -> Bool {
        entries[.hash(hash)].map { now - $0.readAt < Self.lifetime } ?? false
    }

    func find(hash: [UInt8]) async -> Answer {
        await find(.hash(hash)) { store async throws(StoreError) in try await store.token(hash: hash) }
    }

    func find(id: Int64) async -> Answer {
        await find(.id(id)) { store async throws(StoreError) in try await store.token(id: id) }
    }

    private func find(
        _ name: Name, _ read: @LoopActor (JobStore) async throws(StoreError) -> TokenRow?
    ) async -> Answer {
        let now = LoopInstant.now
        if let entry = entries[name], now - entry.readAt < Self.lifetime { return .found(entry.row) }
        let asked = generation
        do throws(StoreError) {
            guard let row = try await read(store) else {
                entries[name] = nil
                return .unknown
            }
            if asked == generation {
                if entries.count >= Self.limit { entries = [:] }
                entries[name] = Entry(row: row, readAt: now)
            }
            return .found(row)
        } catch {
            if let entry = entries[name], now - entry.readAt < Self.lastResort { return .found(entry.row) }
            return .unavailable
        }
    }

    /// Something was revoked.
    func forget() {
        entries = [:]
        generation += 1
    }

    /// Notes in the background that a token was used, once a minute at most.
    func used(_ id: Int64, from address: String, now: LoopInstant = .now) {
        if let last = touchedAt[id], now - last < .seconds(60) { return }
        if touchedAt.count >= Self.limit { touchedAt = [:] }
        touchedAt[id] = now
        loopTask { [store] in
            do throws(StoreError) {
                try await store.touchToken(id, from: address)
            } catch {
                // The next use notes it again, in a minute.
            }
        }
    }
}

extension Principal {
    /// Whom a token belongs to; nil if it does not count any more, or its role is of a newer program.
    init?(_ row: TokenRow, now: WallTime) {
        guard row.revokedAt == nil, row.expiresAt.map({ $0 > now }) ?? true, let role = Role(rawValue: row.role) else {
            return nil
        }
        self.init(way: .token, name: "token:\(row.name)", role: role)
        bounds = Bounds(row.bounds)
        tokenID = row.id
        expires = row.expiresAt
    }
}

extension Bounds {
    init(_ json: JSONValue) {
        func list(_ name: String) -> [String] { json[name]?.elements?.compactMap(\.text) ?? [] }
        self.init(queues: list("queues"), jobs: list("jobs"), owners: list("owners"))
    }

    var json: JSONObject {
        var object = JSONObject()
        object.strings("queues", queues)
        object.strings("jobs", jobs)
        object.strings("owners", owners)
        return object
    }
}
