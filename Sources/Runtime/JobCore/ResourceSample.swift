/// What an attempt's processes used at one moment.
package struct ResourceSample: Hashable, Sendable {
    /// Since the handler began.
    package var atMillis: Int64
    /// User and system time of the tree so far, ended descendants included as far as the machine counts them.
    package var cpuMillis: Int64
    /// Resident bytes of the tree.
    package var rssBytes: Int64
    package var processes: Int
    /// Of the whole tree.
    package var threads: Int
    /// Open descriptors of the first process.
    package var descriptors: Int

    package init(
        atMillis: Int64, cpuMillis: Int64, rssBytes: Int64, processes: Int, threads: Int, descriptors: Int
    ) {
        self.atMillis = atMillis
        self.cpuMillis = cpuMillis
        self.rssBytes = rssBytes
        self.processes = processes
        self.threads = threads
        self.descriptors = descriptors
    }
}

/// Samples of one attempt, thinned as they grow old: however long it runs, at most `capacity` are kept, evenly spread over
/// its time. When it is full, every other one goes and only every second, fourth, … sample is taken from then on.
package struct SampleSeries: Hashable, Sendable {
    package static let capacity = 120

    package private(set) var samples: [ResourceSample] = []
    /// The newest, kept or not.
    package private(set) var latest: ResourceSample?
    private var stride = 1
    private var offered = 0

    package init() {}

    package mutating func add(_ sample: ResourceSample) {
        self.latest = sample
        defer { self.offered += 1 }
        guard self.offered % self.stride == 0 else { return }
        if self.samples.count == Self.capacity {
            self.samples = self.samples.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
            self.stride *= 2
            guard self.offered % self.stride == 0 else { return }
        }
        self.samples.append(sample)
    }

    /// What was kept, and the newest at the end.
    package var all: [ResourceSample] {
        guard let latest, latest != self.samples.last else { return self.samples }
        return self.samples + [latest]
    }
}

/// What an attempt left behind that it should not have. All of it has been removed.
package struct LeakReport: Hashable, Sendable {
    /// Processes of its tree that outlived its leader and were killed.
    package var processes: Int
    /// Files in its scratch directory, which is emptied.
    package var scratchFiles: Int
    package var scratchBytes: Int64
    /// Of a pooled child only: compared with its state before the attempt.
    package var descriptors: Int
    package var threads: Int
    package var growthBytes: Int64
    /// What a pooled child found changed and put back: `cwd`, `umask`, `environment`, `signals`, `locale`.
    package var restored: [String]
    /// Why the pooled child was ended after this attempt; nil: it was kept, or was none.
    package var recycled: String?

    package init(
        processes: Int = 0, scratchFiles: Int = 0, scratchBytes: Int64 = 0, descriptors: Int = 0, threads: Int = 0,
        growthBytes: Int64 = 0, restored: [String] = [], recycled: String? = nil
    ) {
        self.processes = processes
        self.scratchFiles = scratchFiles
        self.scratchBytes = scratchBytes
        self.descriptors = descriptors
        self.threads = threads
        self.growthBytes = growthBytes
        self.restored = restored
        self.recycled = recycled
    }

    package var isClean: Bool { self == LeakReport() }
}
