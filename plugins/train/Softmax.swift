import Glibc

/// A repeatable source of chance: SplitMix64.
struct Chance: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { self.state = seed }

    mutating func next() -> UInt64 {
        self.state &+= 0x9e37_79b9_7f4a_7c15
        var z = self.state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }

    /// The numbers below `count` in an order of chance.
    static func order(_ count: Int, seed: UInt64) -> [Int] {
        var chance = Chance(seed: seed)
        var order = Array(0..<count)
        // By hand: how the library shuffles may change.
        for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, Int(chance.next() % UInt64(i + 1))) }
        return order
    }
}

/// The words of a text as places of a vector, with 1 + ln(count) each, of length 1 altogether.
struct Features {
    var places: [Int]
    var values: [Double]

    init(_ text: String, dimensions: Int) {
        var counts: [Int: Int] = [:]
        var hash: UInt64 = 0
        var isInWord = false
        func close() {
            if isInWord { counts[Int(hash % UInt64(dimensions)), default: 0] += 1 }
            isInWord = false
        }
        for scalar in text.lowercased().unicodeScalars {
            guard scalar.properties.isAlphabetic || scalar.properties.numericType != nil else {
                close()
                continue
            }
            if !isInWord { hash = 14_695_981_039_346_656_037 }
            isInWord = true
            hash = (hash ^ UInt64(scalar.value)) &* 1_099_511_628_211
        }
        close()
        self.places = counts.keys.sorted()
        self.values = self.places.map { 1 + log(Double(counts[$0] ?? 1)) }
        let length = self.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        if length > 0 { self.values = self.values.map { $0 / length } }
    }
}

/// Softmax regression, one example at a time. The last weight of each label is its bias.
struct Softmax {
    let dimensions: Int
    private(set) var labels: [String]
    private(set) var weights: [Double]

    init(labels: [String], dimensions: Int, weights: [Double]? = nil) {
        self.labels = labels
        self.dimensions = dimensions
        self.weights = weights ?? [Double](repeating: 0, count: labels.count * (dimensions + 1))
    }

    /// Labels that are new begin at zero.
    mutating func add(labels more: [String]) {
        for label in more where !self.labels.contains(label) {
            self.labels.append(label)
            self.weights += [Double](repeating: 0, count: self.dimensions + 1)
        }
    }

    func probabilities(_ features: Features) -> [Double] {
        var scores = self.labels.indices.map { label in
            let start = label * (self.dimensions + 1)
            return zip(features.places, features.values).reduce(self.weights[start + self.dimensions]) {
                $0 + self.weights[start + $1.0] * $1.1
            }
        }
        let highest = scores.max() ?? 0
        scores = scores.map { exp($0 - highest) }
        let sum = scores.reduce(0, +)
        return scores.map { $0 / sum }
    }

    /// A step down the gradient. Answers the loss before it.
    mutating func learn(_ features: Features, _ label: Int, rate: Double, decay: Double) -> Double {
        let found = self.probabilities(features)
        for other in self.labels.indices {
            let slope = found[other] - (other == label ? 1 : 0)
            let start = other * (self.dimensions + 1)
            for (place, value) in zip(features.places, features.values) {
                self.weights[start + place] -= rate * (slope * value + decay * self.weights[start + place])
            }
            self.weights[start + self.dimensions] -= rate * slope
        }
        return -log(max(found[label], 1e-300))
    }

    /// The likeliest label.
    func best(_ features: Features) -> Int {
        let found = self.probabilities(features)
        return found.indices.max { found[$0] < found[$1] } ?? 0
    }
}
