import FoundationEssentials
import PluginABI

extension Attempt {
    /// Tells the host how the attempt ended; returns what `run` has to return. Once, on the worker thread.
    func end(_ ending: Ending) -> Int32 {
        switch ending {
        case .nothing: return PAWL_OK
        case .cancelled: return PAWL_E_CANCELLED
        case .json(let json):
            return self.accepted(
                json.withUnsafeBytes { bytes in
                    let text = pawl_str(ptr: bytes.bindMemory(to: CChar.self).baseAddress, len: bytes.count)
                    return self.host.pointee.result_json(self.handle, text)
                })
        case .bytes(let blob):
            return self.accepted(
                blob.mediaType.withPawl { mediaType in
                    blob.bytes.withUnsafeBytes { bytes in
                        let bytes = pawl_bytes(ptr: bytes.baseAddress, len: bytes.count)
                        return self.host.pointee.result_bytes(self.handle, bytes, mediaType)
                    }
                })
        case .snoozed(let untilMillis):
            return self.host.pointee.snooze(self.handle, untilMillis)
        case .failed(let failure):
            self.fail(failure)
            return failure.status
        }
    }

    /// A result that the host refuses is a failure of the attempt, said in words.
    private func accepted(_ status: Int32) -> Int32 {
        if status == PAWL_E_LIMIT {
            self.fail(
                Ending.Failure(
                    retry: PAWL_RETRY_NEVER, code: "result_too_large", message: "the host refused the result: too large"
                ))
        }
        return status
    }

    private func fail(_ failure: Ending.Failure) {
        failure.code.withPawl { code in
            failure.message.withPawl { message in
                failure.details.withPawl { details in
                    var raw = pawl_failure()
                    raw.struct_size = UInt32(MemoryLayout<pawl_failure>.size)
                    raw.retry = failure.retry
                    raw.code = code
                    raw.message = message
                    raw.details_json = details
                    raw.not_before_unix_ms = failure.notBeforeMillis
                    _ = self.host.pointee.fail(self.handle, &raw)
                }
            }
        }
    }
}
