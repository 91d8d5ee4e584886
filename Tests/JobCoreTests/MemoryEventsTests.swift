import JobCore
import Testing

/// Files as kernels have written them, for what a machine may lack.
@Suite struct MemoryEventsTests {
    @Test func versionTwoCountsKills() {
        let events = "low 0\nhigh 0\nmax 214\noom 3\noom_kill 2\noom_group_kill 1\n"
        #expect(MemoryEvents.oomKillsV2(events) == 2)
        #expect(MemoryEvents.oomKillsV2("low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n") == 0)
        #expect(MemoryEvents.oomKillsV2("") == nil)
        #expect(MemoryEvents.oomKillsV2("oom_kill many\n") == nil)
    }

    @Test func versionOneCountsKillsSinceLinux413() {
        #expect(MemoryEvents.oomKillsV1("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n") == 4)
        #expect(MemoryEvents.oomKillsV1("oom_kill_disable 0\nunder_oom 0\n") == nil)
    }

    @Test func theMachineCountsItsOwn() {
        let vmstat = "nr_free_pages 190212\nthp_migration_split 0\noom_kill 7\nnuma_hit 0\n"
        #expect(MemoryEvents.oomKillsOfMachine(vmstat) == 7)
    }

    @Test func theOwnGroupOfVersionOneIsFound() {
        let mountinfo = """
            24 20 0:22 / /proc rw,nosuid - proc proc rw
            31 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:10 - cgroup cgroup rw,cpu,cpuacct
            36 25 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:15 - cgroup cgroup rw,memory
            37 25 0:33 / /sys/fs/cgroup/unified rw,nosuid shared:16 - cgroup2 cgroup2 rw
            """
        func own(_ cgroup: String, _ mounts: String = mountinfo) -> String? {
            MemoryEvents.ownV1Directory(cgroup: cgroup, mountinfo: mounts)
        }
        #expect(
            own("9:memory:/system.slice/pawl.service\n4:cpu,cpuacct:/\n0::/\n")
                == "/sys/fs/cgroup/memory/system.slice/pawl.service")
        #expect(own("9:memory:/\n") == "/sys/fs/cgroup/memory")
        #expect(own("0::/user.slice\n") == nil, "version 2 only")
        #expect(own("9:memory:/\n", "24 20 0:22 / /proc rw - proc proc rw\n") == nil)
        // A container sees its own group as the mount's root, and its full name in /proc/self/cgroup.
        let container = "36 25 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory"
        #expect(own("9:memory:/docker/abc\n", container) == "/sys/fs/cgroup/memory")
        #expect(own("9:memory:/docker/abc/pawl\n", container) == "/sys/fs/cgroup/memory/pawl")
    }
}
