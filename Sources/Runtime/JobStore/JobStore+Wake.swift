import JobCore
import Logging
import Postgres
import UVLoop

extension JobStore {
    /// Subscribes to what others have for this host; holds over reconnects.
    /// - Parameters:
    ///   - onWake: somebody else put something into this queue while this host slept. Claim.
    ///   - onSignal: cancel or terminate one of this host's attempts, if it runs here.
    ///   - onPlugin: something about this plugin was decided, or its jobs or bytes have come; empty: about some plugin.
    ///   - onHolding: something that only one host may do is free, or has become so.
    ///   - onSchedule: something may have to be fired: a schedule is new or other, or what it waits for has happened.
    ///   - onReconnect: notifications may have been missed: claim, and look at `pendingSignals`.
    package func listen(
        host: HostID, onWake: @escaping @LoopActor (String) -> Void,
        onSignal: @escaping @LoopActor (HostSignal) -> Void,
        onPlugin: @escaping @LoopActor (String) -> Void = { _ in },
        onHolding: @escaping @LoopActor () -> Void = {}, onSchedule: @escaping @LoopActor () -> Void = {},
        onReconnect: @escaping @LoopActor () -> Void
    ) async throws(StoreError) {
        listening.onReconnect = { [weak self] in
            self?.lanes.forget()
            self?.schemas.forget()
            onReconnect()
        }
        do throws(PostgresError) {
            try await listening.listen("pawl_wake") { [weak self] notification in
                self?.lanes.woken(queue: notification.payload)
                onWake(notification.payload)
            }
            try await listening.listen("pawl_host_\(host.rawValue)") { [logger] notification in
                guard let signal = HostSignal(payload: notification.payload) else {
                    return logger.warning("a notification that nobody understands", metadata: ["channel": "host"])
                }
                onSignal(signal)
            }
            try await listening.listen("pawl_holding") { _ in onHolding() }
            try await listening.listen("pawl_schedule") { _ in onSchedule() }
            try await listening.listen("pawl_plugin") { [weak self] notification in
                self?.schemas.forget()
                onPlugin(notification.payload)
            }
        } catch {
            throw StoreError(error)
        }
    }

    /// This host has nothing to do: enqueues by others notify it from now on. Claim once more after it: something may have
    /// come in between.
    /// - Parameter queues: nil: all.
    package func markSleeping(_ host: HostID, queues: Set<String>? = nil) async throws(StoreError) {
        _ = try await query(.sleepMark, [.int64(host.rawValue), .textArray(queues?.sorted() ?? ["*"])])
        // After the mark: a claim under way meanwhile would have used up the look that must come now.
        lanes.forget()
    }

    /// This host looks by itself again.
    package func markAwake(_ host: HostID) async throws(StoreError) {
        _ = try await query(.sleepClear, [.int64(host.rawValue)])
    }

    /// Notifies hosts that sleep on these queues: for a host that took requests and cannot run them itself.
    package func wakeSleepers(queues: Set<String>) async throws(StoreError) {
        guard !queues.isEmpty else { return }
        _ = try await query(.sleepWake, [.textArray(queues.sorted())])
    }
}

extension HostSignal {
    /// `cancel 123 2 5000`: action, run, attempt, and grace in milliseconds if one was given.
    init?(payload: String) {
        let words = payload.split(separator: " ")
        guard (3...4).contains(words.count), let action = Action(rawValue: String(words[0])), let run = Int64(words[1]),
            let attempt = Int(words[2])
        else { return nil }
        var grace: Duration?
        if words.count == 4 {
            guard let milliseconds = Int64(words[3]) else { return nil }
            grace = .milliseconds(milliseconds)
        }
        self.init(action: action, runID: RunID(run), attempt: attempt, grace: grace)
    }
}
