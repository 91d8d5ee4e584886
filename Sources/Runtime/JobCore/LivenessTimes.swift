/// When hosts say that they live, and when others stop to believe it. A host writes its interval into its row, so that it is
/// judged by its own, whatever the judge's is.
package struct LivenessTimes: Sendable, Hashable {
    /// A host whose last heartbeat is so many intervals old is silent.
    package static let silentAfter = 3
    /// The same for one that is stopping, which has much else to do.
    package static let stoppingSilentAfter = 6

    /// Between two heartbeats.
    package let heartbeat: Duration

    package init(heartbeat: Duration) { self.heartbeat = heartbeat }

    /// Every 10 s; silent after 30 s, and after 60 s while stopping.
    package static let standard = LivenessTimes(heartbeat: .seconds(10))

    /// As long as a host may be silent, a judge's own heartbeats must have been unbroken.
    package var silence: Duration { heartbeat * Self.silentAfter }
    package var stoppingSilence: Duration { heartbeat * Self.stoppingSilentAfter }
    /// A pause between two of one's own heartbeats that is longer than this is a gap.
    package var longestPause: Duration { heartbeat * 3 / 2 }
}
