/// A JSON number as it was written, compared without rounding: sign × digits × 10^exponent.
///
/// Equal numbers are equal values whatever their spelling: `1`, `1.0` and `10e-1`.
struct ExactNumber: Hashable, Comparable, Sendable {
    private(set) var isNegative: Bool
    /// Decimal digits 0…9, the highest first, without zeros at either end; empty: the number is zero.
    private(set) var digits: [UInt8]
    /// Of the last digit. Exponents that no machine word holds are held at a bound that no real number meets.
    private(set) var exponent: Int

    private static let exponentBound = 1 << 40

    /// - Parameter text: a number by the grammar of JSON.
    init(json text: String) {
        var digits: [UInt8] = []
        var exponent = 0
        var written = 0
        var isNegative = false
        var isFraction = false
        var isExponent = false
        var isExponentNegative = false
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "-"):
                if isExponent { isExponentNegative = true } else { isNegative = true }
            case UInt8(ascii: "."): isFraction = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"): isExponent = true
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                let digit = byte &- UInt8(ascii: "0")
                if isExponent {
                    written = min(written * 10 + Int(digit), Self.exponentBound)
                } else {
                    if !digits.isEmpty || digit != 0 { digits.append(digit) }
                    if isFraction { exponent -= 1 }
                }
            default: break
            }
        }
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        self.digits = digits
        self.isNegative = isNegative && !digits.isEmpty
        self.exponent = digits.isEmpty ? 0 : exponent + (isExponentNegative ? -written : written)
    }

    var isInteger: Bool { exponent >= 0 }

    static func < (a: ExactNumber, b: ExactNumber) -> Bool {
        if a.isNegative != b.isNegative { return a.isNegative }
        return a.isNegative ? b.isSmallerInSize(than: a) : a.isSmallerInSize(than: b)
    }

    private func isSmallerInSize(than other: ExactNumber) -> Bool {
        if digits.isEmpty || other.digits.isEmpty { return digits.isEmpty && !other.digits.isEmpty }
        let (height, otherHeight) = (digits.count + exponent, other.digits.count + other.exponent)
        if height != otherHeight { return height < otherHeight }
        return digits.lexicographicallyPrecedes(other.digits)
    }

    /// The digits as one word; nil if they do not fit.
    private var word: UInt64? {
        guard digits.count <= 19 else { return nil }
        return digits.reduce(0) { $0 * 10 + UInt64($1) }
    }

    /// Whether it can be the step of `isMultiple(of:)`: above zero, and at most 19 digits long.
    var isUsableStep: Bool { !isNegative && !digits.isEmpty && word != nil }

    /// Whether `step` goes into it without a rest. Exact for every number of digits and every exponent.
    func isMultiple(of step: ExactNumber) -> Bool {
        guard let divisor = step.word, divisor != 0 else { return false }
        if digits.isEmpty { return true }
        // Its last digit is not 0, so no step of a higher power of ten can go into it.
        if exponent < step.exponent { return false }
        var rest = digits.reduce(UInt64(0)) { (rest, digit) in
            divisor.dividingFullWidth(addition(rest.multipliedFullWidth(by: 10), UInt64(digit))).remainder
        }
        var power = 10 % divisor
        var left = exponent - step.exponent
        while left > 0 {
            if left & 1 == 1 { rest = divisor.dividingFullWidth(rest.multipliedFullWidth(by: power)).remainder }
            power = divisor.dividingFullWidth(power.multipliedFullWidth(by: power)).remainder
            left >>= 1
        }
        return rest == 0
    }

    /// The number as a whole one; nil if it has a fraction or does not fit.
    var integer: Int? {
        guard exponent >= 0, digits.count + exponent <= 18 else { return nil }
        var value = digits.reduce(0) { $0 * 10 + Int($1) }
        for _ in 0..<(digits.isEmpty ? 0 : exponent) { value *= 10 }
        return isNegative ? -value : value
    }
}

private func addition(_ number: (high: UInt64, low: UInt64), _ digit: UInt64) -> (high: UInt64, low: UInt64) {
    let (low, overflow) = number.low.addingReportingOverflow(digit)
    return (overflow ? number.high + 1 : number.high, low)
}
