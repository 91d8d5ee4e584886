import Synchronization

/// What a request adds to the rows that its actions leave in the audit: the store writes them in the transactions of the
/// actions themselves and knows nothing of requests.
package final class AuditContext: Sendable {
    /// Of the request that is being answered; nil for what a host does by itself.
    @TaskLocal package static var current: AuditContext?

    /// What the request is called, also where it is refused; actions that say of themselves what they are do not look here.
    package let action: String?
    /// Why, in the words of whoever asked.
    package let reason: String?
    /// The request's id, as it stands in the host's log.
    package let request: String?
    /// Where it came from.
    package let address: String?
    private let noted = Atomic(false)

    package init(action: String? = nil, reason: String?, request: String?, address: String?) {
        self.action = action
        self.reason = reason
        self.request = request
        self.address = address
    }

    /// Whether some row of this request has been written, or is being.
    package var isNoted: Bool { noted.load(ordering: .relaxed) }

    func note() { noted.store(true, ordering: .relaxed) }
}
