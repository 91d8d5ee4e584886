import PluginKit

/// `train.classifier`: softmax regression over the words of labelled texts, epoch by epoch, with a checkpoint after each.
struct TrainClassifier: Handler {
    static let name = "train.classifier"
    static let summary = "Trains a text classifier, from nothing or from a model; goes on from its last checkpoint."

    struct Args: Codable {
        var data: String
        var model: String
        var base: String?
        var text: String?
        var label: String?
        var epochs: Int?
        var dimensions: Int?
        var learningRate: Double?
        var decay: Double?
        var heldOut: Double?
        var seed: Int?

        enum CodingKeys: String, CodingKey {
            case data, model, base, text, label, epochs, dimensions, decay, seed
            case learningRate = "learning_rate"
            case heldOut = "held_out"
        }
    }

    struct Result: Codable {
        var model: String
        var labels: [String]
        var examples: Int
        var heldOut: Int
        var epochs: Int
        /// Epochs that an earlier attempt had done.
        var resumedAt: Int
        var loss: Double
        var accuracy: Double?
        var history: [Checkpoint.Epoch]

        enum CodingKeys: String, CodingKey {
            case model, labels, examples, epochs, loss, accuracy, history
            case heldOut = "held_out"
            case resumedAt = "resumed_at"
        }
    }

    static let argsSchema = Schema.derived
        .describe("data", "Labelled texts: JSON Lines, or CSV if the name ends with .csv; an absolute path")
        .describe("model", "The model's file, which is also the checkpoint; an absolute path")
        .describe("base", "A model to go on from with these texts: fine-tuning")
        .describe("text", "The member or column of the text")
        .describe("label", "The member or column of the label")
        .describe("epochs", "How often each example is seen")
        .describe("dimensions", "Places that words are hashed to; of the base, where there is one")
        .describe("learning_rate", "The first step's length; the n-th epoch's is this / (1 + 0.1 n)")
        .describe("decay", "How much weights shrink with each step (L2)")
        .describe("held_out", "Share of the examples that is not learnt but asked afterwards")
        .describe("seed", "The same seed, settings and texts give the same model")
        .range("epochs", 1...100_000)
        .range("dimensions", 16...1_048_576)
        .note("learning_rate", Note().range(0.000001...100.0))
        .note("decay", Note().range(0.0...1.0))
        .note("held_out", Note().range(0.0...0.9))
        .defaultValue("text", "text")
        .defaultValue("label", "label")
        .defaultValue("epochs", 10)
        .defaultValue("dimensions", 4096)
        .defaultValue("learning_rate", 0.5)
        .defaultValue("decay", 0.000001)
        .defaultValue("held_out", 0.2)
        .defaultValue("seed", 1)

    private static let examplesBetweenLooks = 256

    func run(_ args: Args, _ context: Context) async throws -> Result {
        for (name, path) in [("/data", args.data), ("/model", args.model), ("/base", args.base ?? "/")] {
            guard path.hasPrefix("/") else { throw InvalidInput(name, "must be an absolute path") }
        }
        let examples = try Examples(args.data, text: args.text ?? "text", label: args.label ?? "label", context)
        guard examples.texts.count >= 2, Set(examples.labels).count >= 2 || args.base != nil else {
            throw JobFailure("train_too_few", "at least two examples with different labels are needed", retry: .never)
        }
        var training = try self.begin(args, examples, context)
        let resumedAt = training.head.history.count

        let dimensions = training.model.dimensions
        let features = try self.features(examples.texts, dimensions, context)
        let number = Dictionary(uniqueKeysWithValues: training.model.labels.enumerated().map { ($1, $0) })
        let truth = examples.labels.map { number[$0] ?? 0 }
        let settings = training.head.settings
        let order = Chance.order(features.count, seed: UInt64(bitPattern: Int64(settings.seed)))
        let heldOut = order.prefix(min(Int(Double(features.count) * settings.heldOut), features.count - 1))
        let learnt = Array(order.dropFirst(heldOut.count))

        context.stage("Training")
        context.total(settings.epochs, unit: "epochs")
        context.advance(min(resumedAt, settings.epochs))
        for epoch in resumedAt..<max(resumedAt, settings.epochs) {
            let rate = settings.learningRate / (1 + 0.1 * Double(epoch))
            var loss = 0.0
            let seed = UInt64(bitPattern: Int64(settings.seed)) &+ UInt64(epoch + 1) &* 0x9e37_79b9
            for (step, place) in Chance.order(learnt.count, seed: seed).enumerated() {
                if step % Self.examplesBetweenLooks == 0 { try context.checkCancellation() }
                let example = learnt[place]
                loss += training.model.learn(features[example], truth[example], rate: rate, decay: settings.decay)
            }
            let right = heldOut.count { training.model.best(features[$0]) == truth[$0] }
            let done = Checkpoint.Epoch(
                epoch: epoch + 1, loss: loss / Double(learnt.count),
                accuracy: heldOut.isEmpty ? nil : Double(right) / Double(heldOut.count))
            training.head.history.append(done)
            try training.save(args.model, run: context.runID)
            context.advance()
            context.count("epochs")
            context.message("loss \(done.loss.short), accuracy \(done.accuracy.map(\.short) ?? "-")")
            context.log.info("epoch done", ["epoch": done.epoch, "loss": done.loss, "accuracy": done.accuracy ?? -1])
        }
        guard let last = training.head.history.last else { preconditionFailure("there is at least one epoch") }
        return Result(
            model: args.model, labels: training.model.labels, examples: learnt.count, heldOut: heldOut.count,
            epochs: training.head.history.count, resumedAt: resumedAt, loss: last.loss, accuracy: last.accuracy,
            history: training.head.history)
    }

    /// The checkpoint of this very training if there is one, else a new one.
    private func begin(_ args: Args, _ examples: Examples, _ context: Context) throws -> Checkpoint {
        var model = Softmax(labels: [], dimensions: args.dimensions ?? 4096)
        var base: Checkpoint?
        if let path = args.base {
            guard let found = try Checkpoint(path) else {
                throw JobFailure("train_model", "there is no model \(path)", retry: .never)
            }
            base = found
            model = found.model
        }
        model.add(labels: Set(examples.labels).sorted())
        let settings = Checkpoint.Settings(
            examples: examples.fingerprint, text: args.text ?? "text", label: args.label ?? "label",
            epochs: args.epochs ?? 10, learningRate: args.learningRate ?? 0.5, decay: args.decay ?? 0.000001,
            heldOut: args.heldOut ?? 0.2, seed: args.seed ?? 1, base: base?.fingerprint)
        let head = Checkpoint.Head(dimensions: model.dimensions, labels: model.labels, settings: settings, history: [])
        guard args.model != args.base else {
            throw InvalidInput("/model", "must not be the base: a repeated attempt would begin with what it made")
        }
        if let known = try Checkpoint(args.model) {
            guard known.head.settings == settings, known.head.dimensions == head.dimensions else {
                throw JobFailure(
                    "train_other_model",
                    "\(args.model) is a model of other texts or settings; remove it, or name another file",
                    retry: .never)
            }
            context.log.info("goes on", ["epochs": known.head.history.count])
            return known
        }
        return Checkpoint(head: head, model: model)
    }

    private func features(_ texts: [String], _ dimensions: Int, _ context: Context) throws -> [Features] {
        context.stage("Counting words")
        context.total(texts.count, unit: "texts")
        var features: [Features] = []
        for text in texts {
            if features.count % Self.examplesBetweenLooks == 0 { try context.checkCancellation() }
            features.append(Features(text, dimensions: dimensions))
            context.advance()
        }
        return features
    }
}

extension Double {
    /// Three digits behind the point.
    fileprivate var short: String {
        let thousandths = Int((self * 1000).rounded())
        let rest = String(thousandths % 1000)
        return "\(thousandths / 1000).\(String(repeating: "0", count: 3 - rest.count))\(rest)"
    }
}
