import FoundationEssentials
import Glibc
import PluginKit

/// A model with how far its training is: one line of JSON, then the weights as 64-bit floats, little end first.
struct Checkpoint {
    /// What makes two trainings the same.
    struct Settings: Codable, Equatable {
        var examples: UInt64
        var text: String
        var label: String
        var epochs: Int
        var learningRate: Double
        var decay: Double
        var heldOut: Double
        var seed: Int
        /// Of the model it started from; nil: from nothing.
        var base: UInt64?
    }

    struct Epoch: Codable, Equatable {
        var epoch: Int
        /// Mean over the training examples, while they were learnt.
        var loss: Double
        /// Share of the held-out examples that were told rightly; nil: none are held out.
        var accuracy: Double?
    }

    struct Head: Codable {
        var format = "pawl.classifier/1"
        var dimensions: Int
        var labels: [String]
        var settings: Settings
        var history: [Epoch]
    }

    var head: Head
    var model: Softmax

    init(head: Head, model: Softmax) {
        self.head = head
        self.model = model
    }

    /// Nil where there is no such file. Throws where it is something else.
    init?(_ path: String) throws {
        guard access(path, F_OK) == 0 else { return nil }
        let file = try InputFile(path)
        var bytes: [UInt8] = []
        while let part = try file.read() { bytes += part }
        let refusal = JobFailure("train_model", "\(path) is no model of this handler", retry: .never)
        guard let end = bytes.firstIndex(of: 0x0A) else { throw refusal }
        do {
            self.head = try JSONDecoder().decode(Head.self, from: Data(bytes[..<end]))
        } catch {
            throw refusal
        }
        let count = self.head.labels.count * (self.head.dimensions + 1)
        guard self.head.format == "pawl.classifier/1", bytes.count - end - 1 == count * 8 else { throw refusal }
        let weights = (0..<count).map { index in
            let start = end + 1 + index * 8
            return Double(bitPattern: (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64($1 * 8) })
        }
        self.model = Softmax(labels: self.head.labels, dimensions: self.head.dimensions, weights: weights)
    }

    private func bytes() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        var bytes = Array(try encoder.encode(self.head)) + [0x0A]
        bytes.reserveCapacity(bytes.count + self.model.weights.count * 8)
        for weight in self.model.weights {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: weight.bitPattern >> shift))
            }
        }
        return bytes
    }

    /// The file appears whole, or the one before it stays.
    func save(_ path: String, run: String) throws {
        let temporary = "\(path).\(run).tmp"
        let bytes = try self.bytes()
        func failed() -> JobFailure {
            JobFailure("train_output", "cannot write \(path): \(String(cString: strerror(errno)))")
        }
        let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard file >= 0 else { throw failed() }
        defer { close(file) }
        var done = 0
        while done < bytes.count {
            let got = bytes.withUnsafeBytes { write(file, $0.baseAddress! + done, bytes.count - done) }
            if got >= 0 { done += got } else if errno != EINTR { throw failed() }
        }
        guard fsync(file) == 0, rename(temporary, path) == 0 else { throw failed() }
    }

    /// Of the weights: what another training started from.
    var fingerprint: UInt64 {
        self.model.weights.reduce(14_695_981_039_346_656_037) { ($0 ^ $1.bitPattern) &* 1_099_511_628_211 }
    }
}
