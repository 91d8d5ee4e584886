internal import JobCore
internal import UVLoop

/// What of its present child an attempt uses. Without one there is nothing.
extension Attempt {
    var slot: UInt32 { self.process?.slot ?? 0 }
    var pid: Int32? {
        get { self.process?.pid }
        set { self.process?.pid = newValue }
    }
    var monitorPID: Int32? { self.process?.monitorPID }
    var pidfd: Int32 { self.process?.pidfd ?? -1 }
    var monitorPidfd: Int32 { self.process?.monitorPidfd ?? -1 }
    var leaf: CgroupLeaf? { self.process?.leaf }
    var scratch: ScratchDirectory? { self.process?.scratch }
    var data: Int32 {
        get { self.process?.data ?? -1 }
        set { self.process?.data = newValue }
    }
    var stdout: Int32 {
        get { self.process?.stdout ?? -1 }
        set { self.process?.stdout = newValue }
    }
    var stderr: Int32 {
        get { self.process?.stderr ?? -1 }
        set { self.process?.stderr = newValue }
    }
    var crashPipe: Int32 { self.process?.crashPipe ?? -1 }
    var monitor: Int32 {
        get { self.process?.monitor ?? -1 }
        set { self.process?.monitor = newValue }
    }

    func write(_ bytes: [UInt8]) { self.process?.write(bytes) }
    func tellKeeper(_ message: [UInt8]) { self.process?.tellKeeper(message) }
    func leavePlace(isEmpty: Bool) { self.process?.leavePlace(isEmpty: isEmpty) }
    func leaveScratch() { self.process?.leaveScratch() }
}
