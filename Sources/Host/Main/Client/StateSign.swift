/// A run's state as sign, word and colour; the sign alone carries the meaning where there is no colour.
struct StateSign {
    let state: String

    var ink: Terminal.Ink? {
        switch self.state {
        case "running": .blue
        case "retrying": .yellow
        case "succeeded": .green
        case "failed": .red
        default: .dim
        }
    }

    func sign(unicode: Bool) -> String {
        switch self.state {
        case "scheduled", "blocked", "queued": unicode ? "○" : "o"
        case "running": unicode ? "●" : "*"
        case "retrying": unicode ? "▲" : "^"
        case "succeeded": unicode ? "✓" : "+"
        case "failed": unicode ? "✗" : "x"
        default: unicode ? "–" : "-"
        }
    }

    func text(unicode: Bool) -> String { "\(self.sign(unicode: unicode)) \(self.state)" }
}
