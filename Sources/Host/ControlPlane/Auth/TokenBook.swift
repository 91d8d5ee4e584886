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
        return prefix + Base64URL.encode((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) })
    }

    /// Whether it may be one that was made here, by its form.
    nonisolated static func isOurs(_ token: some StringProtocol) -> Bool {
        token.utf8.count == length && token.hasPrefix(prefix)
    }

    private nonisolated static let prefix = "pawl_"
    private nonisolated static let length = 48

    nonisolated static func hash(_ token: some StringProtocol) -> [UInt8] {
        Array(SHA256.hash(data: Array(token.utf8)))
    }

    /// Whether it was right when it was last looked up, however long ago.
    func knows(_ hash: [UInt8]) -> Bool { entries[.hash(hash)] != nil }

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
    /// Whom a token belongs to; nil if it does not count any more, or its role or bounds are of a newer program.
    init?(_ row: TokenRow, now: WallTime) {
        guard row.revokedAt == nil, row.expiresAt.map({ $0 > now }) ?? true, let role = Role(rawValue: row.role),
            let bounds = Bounds(row.bounds)
        else { return nil }
        self.init(way: .token, name: "token:\(row.name)", role: role)
        self.bounds = bounds
        tokenID = row.id
        expires = row.expiresAt
    }
}

extension Bounds {
    /// Nil if it is anything else than an object of lists of names: what is not understood must not confine nothing.
    init?(_ json: JSONValue) {
        guard case .object(let members) = json, Set(members.map(\.key)).count == members.count else { return nil }
        self.init()
        for member in members {
            let names = member.value.elements?.compactMap(\.text)
            guard let names, names.count == member.value.elements?.count else { return nil }
            switch member.key {
            case "queues": queues = names
            case "jobs": jobs = names
            case "owners": owners = names
            default: return nil
            }
        }
    }

    var json: JSONObject {
        var object = JSONObject()
        object.strings("queues", queues)
        object.strings("jobs", jobs)
        object.strings("owners", owners)
        return object
    }
}
