import JobCore
import JobStore

/// The seeds' old paths (control-plane design, 3.9): same handlers below, answers in the seeds' shape. An alias never asks for a
/// header, plan or reason that its seed does not send.
extension Backend {
    var seedRoutes: [Route] { seedJobRoutes + seedQueueRoutes + seedSafetyRoutes + seedScheduleRoutes }
}

/// The seeds' words.
enum SeedWords {
    /// S1, S2 and S3 together.
    static func status(_ state: RunState) -> String {
        switch state {
        case .queued, .blocked: "pending"
        case .running: "active"
        case .scheduled, .retrying: "delayed"
        case .succeeded: "completed"
        case .failed: "failed"
        case .cancelled: "cancelled"
        }
    }

    static func states(_ word: String) throws(Problem) -> Set<RunState> {
        switch word.lowercased() {
        case "pending", "waiting": [.queued, .blocked]
        case "active", "running": [.running]
        case "delayed": [.scheduled, .retrying]
        case "completed": [.succeeded]
        case "failed": [.failed]
        case "cancelled": [.cancelled]
        default:
            throw .invalidParameter(
                "status", "unknown_word",
                "must be one of pending, waiting, active, delayed, completed, failed, cancelled")
        }
    }

    /// Counts under S3's names.
    static func counts(_ counts: [RunState: Int64], into object: inout JSONObject) {
        object.int("waiting", (counts[.queued] ?? 0) + (counts[.blocked] ?? 0))
        object.int("active", counts[.running] ?? 0)
        object.int("completed", counts[.succeeded] ?? 0)
        object.int("failed", counts[.failed] ?? 0)
        object.int("delayed", (counts[.scheduled] ?? 0) + (counts[.retrying] ?? 0))
        object.int("cancelled", counts[.cancelled] ?? 0)
    }

    /// In percent with two decimals; 100 when nothing has ended, as S3 had it.
    static func successRate(_ counts: [RunState: Int64]) -> Double {
        let ended = (counts[.succeeded] ?? 0) + (counts[.failed] ?? 0)
        return ended == 0 ? 100 : (Double(counts[.succeeded] ?? 0) / Double(ended) * 10_000).rounded() / 100
    }
}
