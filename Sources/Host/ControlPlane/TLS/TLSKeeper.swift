import JobCore
import Logging
import UVLoop

/// The certificate that new connections are shown: from its files, and anew when they have changed. Connections that are open
/// keep what they began with.
@LoopActor
final class TLSKeeper {
    /// The files are not looked at more often.
    static let interval = Duration.seconds(1)
    /// The log warns of a certificate that ends sooner.
    private static let notice = Duration.seconds(14 * 86_400)

    private let files: TLSFiles
    private let logger: Logger
    private(set) var material: TLSMaterial
    private var stamps: [FileStamp?]
    private var lookedAt = LoopInstant.now
    /// Since the start; failed ones too.
    private(set) var reloads = (done: 0, failed: 0)

    init(_ files: TLSFiles, logger: Logger) throws(TLSFault) {
        self.files = files
        self.logger = logger
        // Before reading: what changes meanwhile is another content.
        stamps = Self.stamps(files)
        material = try files.read()
        tell()
    }

    /// For a new connection.
    func current(at now: LoopInstant = .now) -> TLSMaterial {
        if now - lookedAt >= Self.interval {
            lookedAt = now
            if Self.stamps(files) != stamps { reload() }
        }
        return material
    }

    /// Reads the files at once. What is of no use changes nothing, and the log says so; the next change is looked at again.
    func reload() {
        stamps = Self.stamps(files)
        do throws(TLSFault) {
            material = try files.read()
            reloads.done += 1
            tell()
        } catch {
            reloads.failed += 1
            logger.warning("the new certificate is of no use; the old one counts", metadata: ["error": "\(error)"])
        }
    }

    var families: [MetricFamily] {
        func outcome(_ word: String, _ count: Int) -> MetricSample {
            MetricSample(Double(count), [MetricLabel("result", word)])
        }
        return [
            MetricFamily(
                "pawl_tls_certificate_expires_timestamp_seconds", "When the certificate that is shown ends.", .gauge,
                Double(material.expires.seconds)),
            MetricFamily(
                name: "pawl_tls_reloads_total", help: "Times that a changed certificate was read.", kind: .counter,
                samples: [outcome("ok", reloads.done), outcome("failed", reloads.failed)]),
        ]
    }

    private func tell() {
        let left = material.expires - WallClock.now
        let metadata: Logger.Metadata = [
            "file": "\(files.certificate)", "expires_at": "\(material.expires.rfc3339)",
        ]
        if left < Self.notice {
            logger.warning("the certificate ends soon, or has ended", metadata: metadata)
        } else {
            logger.info("certificate", metadata: metadata)
        }
    }

    private static func stamps(_ files: TLSFiles) -> [FileStamp?] {
        [FileStamp(files.certificate), FileStamp(files.key)]
    }
}
