/// When the attempts that are left would come, if each of them went wrong: for people who look at a run.
package struct NextAttempt: Hashable, Sendable {
    /// Counted as `attempts_used` counts: 1 is the first.
    package var number: Int
    /// After the attempt before it has ended; zero for the first.
    package var wait: Duration
    /// By how much chance makes the wait shorter or longer.
    package var spread: Duration
    /// It does not come before this time, whatever chance says.
    package var earliest: WallTime

    /// - Parameters:
    ///   - state: terminal ones have none.
    ///   - runAt: when the run is due, or was.
    ///   - startedAt: of the attempt that runs.
    ///   - limit: no more than so many.
    package static func list(
        state: RunState, policy: BackoffPolicy, attemptsUsed: Int, maxAttempts: Int, runAt: WallTime,
        startedAt: WallTime?, limit: Int = 20
    ) -> [NextAttempt] {
        if state.isTerminal { return [] }
        var list: [NextAttempt] = []
        var number = attemptsUsed + 1
        var earliest = runAt
        if state == .running {
            // This one is under way.
            earliest = startedAt ?? runAt
            number += 1
        } else if number <= maxAttempts {
            list.append(NextAttempt(number: number, wait: .zero, spread: .zero, earliest: earliest))
            number += 1
        }
        while number <= maxAttempts, list.count < limit {
            let shortest = policy.delay(afterAttempt: number - 1, random: 0)
            let middle = policy.delay(afterAttempt: number - 1, random: 0.5)
            earliest = earliest.advanced(by: shortest)
            list.append(NextAttempt(number: number, wait: middle, spread: middle - shortest, earliest: earliest))
            number += 1
        }
        return list
    }
}
