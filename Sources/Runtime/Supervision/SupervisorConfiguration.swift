/// How a host runs its children.
package struct SupervisorConfiguration: Sendable {
    /// What bounds an attempt's process tree.
    package enum Profile: String, Sendable, CaseIterable {
        /// `cgroup` where the machine has it, else `none`.
        case automatic
        /// A cgroup v2 leaf per attempt. Starting fails where there is none.
        case cgroup
        /// A monitor process per attempt, a subreaper.
        case none
    }

    /// Path of `pawl-zygote`.
    package var zygotePath: String
    /// Scratch directories are made below it.
    package var dataDirectory: String
    /// Names this host among those of the machine: the next one on the same data directory has the same, and kills what
    /// its predecessor left. Letters, digits, `-` and `_`.
    package var instance: String
    package var profile: Profile
    /// A cgroup v2 directory to work in; nil: found (own cgroup, or the root of the hierarchy).
    package var cgroupRoot: String?
    /// Attempts at once.
    package var slots: Int
    /// Added to the host's own niceness for children, so that they never delay the loop.
    package var niceness: Int32
    /// Added to what every child sees, in place of defaults of the same name.
    package var environment: [String: String]
    /// Path of `pawl-inspect`; nil: no diagnoses, and stacks stay numbers.
    package var inspectorPath: String?
    /// Users that strict children of a host that is root get, one each: numbers that nobody else has on this machine.
    /// The default is the range that systemd keeps for such users.
    package var sandboxUsers: ClosedRange<UInt32>

    package init(
        zygotePath: String, dataDirectory: String, instance: String, profile: Profile = .automatic,
        cgroupRoot: String? = nil, slots: Int = 16, niceness: Int32 = 5, environment: [String: String] = [:],
        inspectorPath: String? = nil, sandboxUsers: ClosedRange<UInt32> = 61184...65519
    ) {
        self.zygotePath = zygotePath
        self.dataDirectory = dataDirectory
        self.instance = instance
        self.profile = profile
        self.cgroupRoot = cgroupRoot
        self.slots = slots
        self.niceness = niceness
        self.environment = environment
        self.inspectorPath = inspectorPath
        self.sandboxUsers = sandboxUsers
    }
}

/// What this machine can do for supervision, found out at the start.
package struct Capabilities: Sendable, Hashable {
    /// Never `automatic`.
    package var profile: SupervisorConfiguration.Profile
    /// Directory whose leaves bound the attempts; nil with profile `none`.
    package var cgroupRoot: String?
    /// Controllers that are switched on there: `memory`, `pids`, `cpu`, …
    package var controllers: [String]
    /// What `pawl-zygote --probe` found, by name.
    package var features: [String: Bool]
    /// For people: what is missing, and what that means.
    package var notes: [String]

    package init(
        profile: SupervisorConfiguration.Profile, cgroupRoot: String? = nil, controllers: [String] = [],
        features: [String: Bool] = [:], notes: [String] = []
    ) {
        self.profile = profile
        self.cgroupRoot = cgroupRoot
        self.controllers = controllers
        self.features = features
        self.notes = notes
    }
}

/// Why a supervisor could not start.
package struct SupervisionError: Error, Sendable, Hashable, CustomStringConvertible {
    package var description: String

    package init(_ description: String) { self.description = description }
}
