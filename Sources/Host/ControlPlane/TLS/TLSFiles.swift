import Glibc
import JobCore
import NIOSSL

/// Where the certificate of a host lies, and its key: both PEM. The certificate's file holds its chain too, the host's own first.
package struct TLSFiles: Sendable, Hashable {
    package var certificate: String
    package var key: String

    package init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }

    /// Throws if a listener could not start with what lies there now.
    package func check() throws(TLSFault) { _ = try read() }
}

/// Why a certificate and its key are of no use. Names the file, and nothing of what is in it.
package struct TLSFault: Error, Sendable, Hashable, CustomStringConvertible {
    package let description: String
}

/// What a listener shows.
struct TLSMaterial: Sendable {
    let context: NIOSSLContext
    /// When the host's own certificate ends.
    let expires: WallTime
}

extension TLSFiles {
    /// Reads both; a key that does not fit the certificate is a fault too, so that half a change is none.
    func read() throws(TLSFault) -> TLSMaterial {
        guard let chainText = SmallFile.read(certificate) else { throw fault(certificate, "cannot be read") }
        var info = stat()
        guard stat(key, &info) == 0, let keyText = SmallFile.read(key) else { throw fault(key, "cannot be read") }
        guard info.st_mode & 0o007 == 0 else { throw fault(key, "can be read by everybody: chmod o= it") }
        do {
            let chain = try NIOSSLCertificate.fromPEMBytes(chainText)
            guard let own = chain.first else { throw fault(certificate, "holds no certificate") }
            let privateKey: NIOSSLPrivateKey
            do {
                privateKey = try NIOSSLPrivateKey(bytes: keyText, format: .pem)
            } catch {
                throw fault(key, "holds no private key without a passphrase, as PEM")
            }
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(privateKey))
            configuration.minimumTLSVersion = .tlsv12
            configuration.applicationProtocols = ["http/1.1"]
            let context: NIOSSLContext
            do {
                context = try NIOSSLContext(configuration: configuration)
            } catch {
                throw fault(key, "does not fit the certificate in \(certificate)")
            }
            return TLSMaterial(
                context: context, expires: WallTime(micros: Int64(own.notValidAfter) * 1_000_000))
        } catch {
            throw (error as? TLSFault) ?? fault(certificate, "holds no certificate as PEM")
        }
    }

    private func fault(_ file: String, _ what: String) -> TLSFault { TLSFault(description: "\(file) \(what)") }
}
