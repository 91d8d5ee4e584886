import Glibc
import HTTPTypes
import JobCore
import Testing
import UVLoop

@testable import ControlPlane

/// Roles × routes × transports, as the document says it: nothing here knows a route by its name.
@Suite struct RoleTableTests {
    struct Operation: Sendable {
        var method: HTTPRequest.Method
        var path: String
        /// Nil: everybody.
        var role: Role?
        var isOpen: Bool

        /// With something in the place of each parameter that there is none of.
        var target: String {
            let parts = path.split(separator: "/").map { part -> String in
                if !part.hasPrefix("{") { return String(part) }
                return part == "{id}" ? "run_0000000000000" : "none"
            }
            return "/" + parts.joined(separator: "/")
        }
    }

    static func operations(_ plane: Harness) async throws -> [Operation] {
        let document = try await plane.get("/api/v1/openapi.json").json
        guard case .object(let paths)? = document["paths"] else { throw Missing() }
        var found: [Operation] = []
        for path in paths {
            guard case .object(let operations) = path.value else { continue }
            for operation in operations where operation.key != "parameters" {
                let word = operation.value["x-role"]?.text
                let role = word.flatMap { Role(rawValue: $0) }
                #expect(
                    role != nil || word == "none",
                    "\(operation.key) \(path.key) has no x-role in openapi.json: viewer, operator, admin, owner or none"
                )
                guard let method = HTTPRequest.Method(rawValue: operation.key.uppercased()) else { throw Missing() }
                found.append(
                    Operation(
                        method: method, path: path.key, role: role,
                        isOpen: operation.value["security"]?.elements?.isEmpty ?? false))
            }
        }
        return found
    }

    struct Missing: Error {}

    @Test func documentAndTableAgree() async throws {
        try await withPlane { plane in
            let operations = try await Self.operations(plane)
            #expect(operations.count > 100)
            for operation in operations {
                let key = "\(operation.method) \(operation.path)"
                let row = Permission.table[key]
                #expect(row != nil, "\(key) has no row in Permission+Table.swift")
                #expect(row?.role == operation.role, "\(key): x-role and Permission+Table.swift differ")
                #expect(operation.isOpen == (operation.role == nil), "\(key): security and x-role differ")
            }
            let described = Set(operations.map { "\($0.method) \($0.path)" })
            for key in Permission.table.keys { #expect(described.contains(key), "\(key) is a row without a route") }
        }
    }

    /// How somebody of a role comes in.
    enum Transport: String, CaseIterable, Sendable { case cookie, token, peer, jwt }

    /// Headers of somebody of this role.
    @LoopActor
    static func headers(
        _ role: Role, _ transport: Transport, _ plane: Harness
    ) async throws -> [HTTPField.Name: String] {
        switch transport {
        case .cookie:
            let principal = Principal(way: .hostToken, name: "a \(role.rawValue)", role: role)
            let cookie = plane.plane.gate.sessions.cookie(for: principal, now: WallClock.now)
            return [.cookie: String(cookie.prefix { $0 != ";" }), .secFetchSite: "same-origin"]
        case .token:
            let made = try await TokenTests.make(
                plane, "{\"name\":\"\(role.rawValue)\",\"role\":\"\(role.rawValue)\"}")
            return [.authorization: "Bearer \(made.token)"]
        case .peer:
            return [:]
        case .jwt:
            return [.authorization: "Bearer \(try JWTTests.current(role))"]
        }
    }

    /// A browser sends the cookie with whatever any page asks for: only our own may change anything, whatever its role.
    @Test func pagesOfOthersChangeNothing() async throws {
        try await withOwnPlane { plane in
            let foreign: [[HTTPField.Name: String]] = [
                [.secFetchSite: "cross-site"], [.secFetchSite: "same-site"], [.secFetchSite: "none"],
                [.origin: "https://evil.example"], [.origin: "null"], [:],
                [.origin: "http://localhost", .secFetchSite: "cross-site"],
            ]
            let cookie = try await Self.headers(.owner, .cookie, plane)[.cookie] ?? ""
            for operation in try await Self.operations(plane) where operation.role != nil {
                let isReading = operation.method == .get
                for origin in isReading ? [foreign[0]] : foreign {
                    let reply = try await plane.send(
                        operation.method, operation.target, isReading ? nil : "{}", token: nil,
                        headers: origin.merging([.cookie: cookie]) { $1 })
                    let isRefused = reply.status == 403 && reply.code == "cross_site"
                    #expect(isRefused != isReading, "\(operation) \(origin): \(reply.status)")
                }
            }
        }
    }

    @Test(arguments: Transport.allCases)
    func allowedAndRefusedAsDocumented(_ transport: Transport) async throws {
        let file = try JWTTests.keyFile()
        defer { unlink(file) }
        try await withOwnPlane {
            $0.jwt = JWTRules(source: .file(file), issuer: "https://id.example", audience: "pawl")
        } _: { plane in
            let operations = try await Self.operations(plane)
            var headers: [Role: [HTTPField.Name: String]] = [:]
            for role in Role.allCases { headers[role] = try await Self.headers(role, transport, plane) }
            for operation in operations {
                let body = operation.method == .get ? nil : "{}"
                let nobody = try await plane.send(operation.method, operation.target, body, token: nil)
                #expect((nobody.status == 401) == (operation.role != nil), "\(operation) \(nobody.status)")
                for role in Role.allCases {
                    // A session that was ended by the route before is none.
                    if transport == .cookie { headers[role] = try await Self.headers(role, transport, plane) }
                    let peer = transport == .peer ? Principal(way: .peer, name: "unix:7", role: role) : nil
                    let reply = try await plane.send(
                        operation.method, operation.target, body, token: nil, headers: headers[role] ?? [:],
                        isOnLoopback: peer == nil, peer: peer)
                    let isRefused = reply.status == 403 && reply.code == "insufficient_scope"
                    #expect(
                        isRefused == (operation.role.map { role < $0 } ?? false),
                        "\(role) \(transport) \(operation): \(reply.status) \(reply.code ?? "")")
                    #expect(reply.status != 401, "\(role) \(transport) \(operation)")
                    if isRefused {
                        #expect(
                            reply.headers[.wwwAuthenticate]?.contains("scope=\"\(operation.role?.rawValue ?? "")\"")
                                == true)
                    }
                }
            }
        }
    }
}
