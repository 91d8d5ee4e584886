import HTTPTypes
import JobCore
import Testing
import UVLoop

@testable import ControlPlane

/// The decision by itself: every principal on every row of the table, without a request.
@Suite struct AuthorizerTests {
    @Test func rolesAreSteps() {
        #expect(Role.allCases.sorted() == [.viewer, .operator, .admin, .owner])
        for needed in Role.allCases {
            for role in Role.allCases {
                let verdict = Authorizer.decide(
                    Principal(way: .hostToken, name: "x", role: role), Permission(needed, .everything))
                #expect((verdict == .allowed) == (role >= needed))
                if role < needed { #expect(verdict == .refused(.needsRole(needed))) }
            }
            #expect(Authorizer.decide(.anonymous, Permission(needed, .neutral)) == .refused(.unauthenticated))
        }
        #expect(Authorizer.decide(.anonymous, .open) == .allowed)
    }

    @Test func nobodyGuessesWhatARouteNeeds() {
        #expect(Permission.of(.get, "/api/v1/nothing-of-this-name") == .unknown)
        #expect(Permission.unknown.role == .owner)
        #expect(Permission.of(.head, "/api/v1/runs") == Permission.of(.get, "/api/v1/runs"))
    }

    @Test func browsersMayNotMakeLinks() {
        let link = Permission.of(.post, "/api/v1/auth/links")
        var principal = Principal.admin
        #expect(Authorizer.decide(principal, link) == .allowed)
        principal.way = .session
        #expect(Authorizer.decide(principal, link) == .refused(.session))
    }

    @Test func patternsAreNamesOrBeginnings() {
        #expect(Bounds.matches("mail", "mail") && !Bounds.matches("mail", "mailer"))
        #expect(Bounds.matches("mail*", "mailer") && Bounds.matches("mail*", "mail") && Bounds.matches("*", ""))
        #expect(!Bounds.matches("mail*", "email") && !Bounds.matches("", "x"))
    }

    /// All combinations: what is bound, and what is known of what is asked for.
    @Test func boundsHoldInEveryCombination() {
        let names: [Resource.Names] = [
            .any, .these([]), .these(["a"]), .these(["a1", "a2"]), .these(["b"]), .these(["a", "b"]),
        ]
        func inside(_ names: Resource.Names) -> Bool {
            if case .these(let list) = names { return list.allSatisfy { $0.hasPrefix("a") } }
            return false
        }
        var count = 0
        for mask in 0..<8 {
            let bounds = Bounds(
                queues: mask & 1 != 0 ? ["a*"] : [], jobs: mask & 2 != 0 ? ["a*"] : [],
                owners: mask & 4 != 0 ? ["zz", "a*"] : [])
            var principal = Principal(way: .hostToken, name: "x", role: .operator)
            principal.bounds = bounds
            for queue in names {
                for job in names {
                    for owner in names {
                        let resource = Resource(queues: queue, jobs: job, owners: owner)
                        let verdict = Authorizer.decide(principal, Permission(.viewer, .run), resource)
                        let expected =
                            (mask & 1 == 0 || inside(queue)) && (mask & 2 == 0 || inside(job))
                            && (mask & 4 == 0 || inside(owner))
                        #expect((verdict == .allowed) == expected, "\(mask) \(resource)")
                        count += 1
                    }
                }
            }
            let whole = Authorizer.decide(principal, Permission(.viewer, .everything))
            #expect((whole == .allowed) == (mask == 0))
            #expect(Authorizer.decide(principal, Permission(.viewer, .neutral)) == .allowed)
            // Bounds never give what the role does not.
            #expect(
                Authorizer.decide(principal, Permission(.admin, .run), Resource(queues: .these(["a"])))
                    == .refused(.needsRole(.admin)))
        }
        #expect(count == 8 * 6 * 6 * 6)
    }

    @Test func noTextOfARefusalIsEmpty() {
        let refusals: [Authorizer.Refusal] =
            [.unauthenticated, .outsideOfBounds, .session] + Role.allCases.map { .needsRole($0) }
            + Authorizer.Part.allCases.map { .outside($0) }
        for refusal in refusals { #expect(refusal.detail(for: .admin).hasSuffix(".")) }
    }
}
