/// A run that a handler wants once its attempt has succeeded. What is nil comes from the job's settings.
package struct FollowUp: Hashable, Sendable {
    package var job: String
    /// A JSON object as text.
    package var args: String
    /// From the end of the run that asks for it; nil: at once.
    package var delay: Duration?
    /// Higher runs first.
    package var priority: Int32?
    package var attempts: Int?
    package var queue: String?
    package var title: String?
    package var labels: [String: String]

    package init(
        job: String, args: String = "{}", delay: Duration? = nil, priority: Int32? = nil, attempts: Int? = nil,
        queue: String? = nil, title: String? = nil, labels: [String: String] = [:]
    ) {
        self.job = job
        self.args = args
        self.delay = delay
        self.priority = priority
        self.attempts = attempts
        self.queue = queue
        self.title = title
        self.labels = labels
    }
}
