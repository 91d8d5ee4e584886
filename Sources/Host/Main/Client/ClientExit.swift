import ArgumentParser

/// The exit codes of every client command, one table (docs/cli.md). Numbers from 64 up are those of sysexits.h where they fit.
enum ClientExit: Int32, Sendable {
    /// Done, or the run that was waited for succeeded.
    case done = 0
    /// The run failed, or an error that has no code of its own.
    case failed = 1
    /// Done, but not to all of them; of `plan`: something would change.
    case partly = 2
    /// The run was cancelled or terminated.
    case cancelled = 3
    /// No such run, job, schedule, or it is gone.
    case notFound = 4
    /// The command line is wrong. ArgumentParser uses the same number.
    case usage = 64
    /// The server refused the input: bad JSON, an unknown field, arguments that do not fit.
    case invalidInput = 65
    /// A file named on the command line cannot be read.
    case inputMissing = 66
    /// No server answers.
    case unreachable = 69
    /// The server hit a bug of its own.
    case bug = 70
    /// The state is not what the command needs: already finished, changed meanwhile, not unique.
    case conflict = 73
    /// The server is busy, draining, or its database is away.
    case tryLater = 75
    /// Not signed in, or not allowed.
    case notAllowed = 77
    /// Something on this machine is configured wrongly.
    case configuration = 78
    /// `--wait=SECONDS` ran out; the run goes on.
    case timedOut = 124
    /// Ctrl-C: the client let go; the run goes on.
    case interrupted = 130

    /// What a command throws to end with this code; the words must have been printed before.
    var code: ExitCode { ExitCode(self.rawValue) }

    /// The code for an HTTP status that is no success.
    init(status: Int) {
        switch status {
        case 401, 403: self = .notAllowed
        case 404, 410: self = .notFound
        case 409, 412, 423, 428: self = .conflict
        case 400, 405, 406, 413, 415, 422: self = .invalidInput
        case 408, 429, 502, 503, 504, 507: self = .tryLater
        case 500...: self = .bug
        default: self = .failed
        }
    }

    /// The code that stands for a finished run's state; nil for a state that is not final.
    init?(runState: String) {
        switch runState {
        case "succeeded": self = .done
        case "failed": self = .failed
        case "cancelled": self = .cancelled
        default: return nil
        }
    }
}

/// A reason why a command cannot go on, in words for a person, with the exit code that stands for it.
struct ClientFailure: Error, CustomStringConvertible {
    var exit: ClientExit
    /// One sentence.
    var message: String
    /// What helps further: fields, near matches, what was tried. One line each.
    var details: [String] = []
    /// The server's code for the problem, such as `job_not_found`; nil when the failure is ours.
    var code: String?
    /// HTTP status, when there was an answer.
    var status: Int?
    /// Which members of the request's body are wrong, as JSON pointers, with the server's code and words
    /// for each.
    var places: [(pointer: String, code: String, detail: String)] = []

    var description: String { ([self.message] + self.details).joined(separator: "\n") }
}
