import JobCore
import JobStore
import UVLoop

/// What a request is about, for those who are confined to something.
extension Backend {
    /// Nil: the route's scope alone decides.
    typealias ResourceLookup = @LoopActor @Sendable (Call, Permission.Scope) async throws -> Resource?

    func resource(of call: Call, _ scope: Permission.Scope) async throws -> Resource? {
        switch scope {
        case .neutral, .everything: return nil
        case .queue: return Resource(queues: .these([call.parameter("queue")]))
        case .job: return Resource(jobs: .these([call.parameter("name")]))
        case .list:
            func names(_ name: String) -> Resource.Names {
                let values = call.query.all(name)
                return values.isEmpty ? .any : .these(values)
            }
            return Resource(queues: names("queue"), jobs: names("job"), owners: names("owner"))
        case .run:
            let run = try await existingRun(try call.runID())
            var resource = Resource(
                queues: .these([run.queue]), jobs: .these([run.job]),
                owners: run.owner.map { .these([$0]) } ?? .any)
            // Where it is to go counts like where it is.
            if let body = Self.object(call.body) { Self.add(body, to: &resource) }
            return resource
        case .enqueue:
            // Of a name that is there twice, nobody knows which one the reader takes.
            guard let body = Self.object(call.body), !Self.hasRepeats(body) else { return Resource() }
            guard let items = body["items"]?.elements else { return Self.resource(ofNewRun: body) }
            guard !items.contains(where: Self.hasRepeats) else { return Resource() }
            return items.map(Self.resource(ofNewRun:)).reduce(
                Resource(queues: .these([]), jobs: .these([]), owners: .these([]))
            ) { Self.both($0, $1) }
        }
    }

    /// Nil for what the route will refuse anyway.
    private static func object(_ body: [UInt8]) -> JSONValue? {
        guard !body.isEmpty else { return nil }
        do throws(JSONFault) {
            return try JSONValue(parsing: String(decoding: body, as: UTF8.self))
        } catch {
            return nil
        }
    }

    private static func hasRepeats(_ value: JSONValue) -> Bool {
        guard case .object(let members) = value else { return false }
        return Set(members.map(\.key)).count < members.count
    }

    private static func add(_ body: JSONValue, to resource: inout Resource) {
        if let queue = body["queue"]?.text { resource.queues.also(queue) }
        if let job = body["job"]?.text { resource.jobs.also(job) }
        if let owner = body["owner"]?.text { resource.owners.also(owner) }
    }

    /// A queue that is not said would be the job's: it has to be said.
    private static func resource(ofNewRun body: JSONValue) -> Resource {
        let compared = compared(by: body["unique"])
        func names(_ name: String, _ part: UniqueRule.Part) -> Resource.Names {
            guard compared?.contains(part) ?? true else { return .any }
            return body[name]?.text.map { .these([$0]) } ?? .any
        }
        return Resource(queues: names("queue", .queue), jobs: names("job", .job), owners: names("owner", .owner))
    }

    /// Which parts a unique key agrees in with the run that holds it: of the others, that run may have any, and it is answered,
    /// or replaced. Nil: there is no key.
    private static func compared(by value: JSONValue?) -> [UniqueRule.Part]? {
        guard let value, value != .null else { return nil }
        do throws(FieldFault) {
            return try UniqueRule(value).by ?? [.job]
        } catch {
            return []
        }
    }

    private static func both(_ a: Resource, _ b: Resource) -> Resource {
        func join(_ a: Resource.Names, _ b: Resource.Names) -> Resource.Names {
            guard case .these(let left) = a, case .these(let right) = b else { return .any }
            return .these(left + right)
        }
        return Resource(
            queues: join(a.queues, b.queues), jobs: join(a.jobs, b.jobs), owners: join(a.owners, b.owners))
    }
}
