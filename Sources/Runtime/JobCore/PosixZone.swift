/// A rule for all years, as in the `TZ` environment variable (POSIX.1 8.3, with RFC 9636's extension of times to
/// ±167 h): `CET-1CEST,M3.5.0,M10.5.0/3`.
struct PosixZone: ZoneRules {
    private let standard: Int
    private let summer: (offset: Int, start: Rule, end: Rule)?

    private enum Day {
        /// 1 to 365, 29 February never counted.
        case julian(Int)
        /// 0 to 365.
        case zeroBased(Int)
        /// Week 1 to 5 (5: the last) of a month, weekday 0 Sunday.
        case weekday(month: Int, week: Int, day: Int)
    }

    private struct Rule {
        let day: Day
        /// Seconds after midnight.
        let time: Int

        /// On the wall, seconds since 1970-01-01 00:00 there.
        func wall(in year: Int) -> Int64 {
            let days: Int
            switch day {
            case .julian(let number):
                let leap = CivilTime.isLeap(year) && number >= 60 ? 1 : 0
                days = CivilTime.days(year: year, month: 1, day: 1) + number - 1 + leap
            case .zeroBased(let number):
                days = CivilTime.days(year: year, month: 1, day: 1) + number
            case .weekday(let month, let week, let day):
                let first = CivilTime.days(year: year, month: month, day: 1)
                let shift = (day - CivilTime.weekday(daysSinceEpoch: first) + 7) % 7
                var number = 1 + shift + (week - 1) * 7
                if number > CivilTime.daysInMonth(month, of: year) { number -= 7 }
                days = first + number - 1
            }
            return Int64(days) * 86_400 + Int64(time)
        }
    }

    /// Nil for what is no such text.
    init?(_ text: String) {
        var parser = Parser(text)
        guard parser.name(), let west = parser.time() else { return nil }
        standard = -west
        if parser.isAtEnd {
            summer = nil
            return
        }
        guard parser.name() else { return nil }
        var offset = standard + 3600
        if parser.next != "," {
            guard let west = parser.time() else { return nil }
            offset = -west
        }
        guard parser.skip(","), let start = parser.rule(), parser.skip(","), let end = parser.rule(), parser.isAtEnd
        else {
            return nil
        }
        summer = (offset, start, end)
    }

    func offset(at seconds: Int64) -> Int {
        guard let summer else { return standard }
        let year = CivilTime(secondsSinceEpoch: seconds + Int64(standard)).year
        let start = summer.start.wall(in: year) - Int64(standard)
        let end = summer.end.wall(in: year) - Int64(summer.offset)
        // South of the equator summer spans the new year.
        let isSummer = start < end ? seconds >= start && seconds < end : seconds >= start || seconds < end
        return isSummer ? summer.offset : standard
    }

    func span(at seconds: Int64) -> ZoneSpan {
        guard let summer else { return ZoneSpan(start: .min, end: .max, offset: standard) }
        let year = CivilTime(secondsSinceEpoch: seconds + Int64(standard)).year
        var span = ZoneSpan(start: .min, end: .max, offset: offset(at: seconds))
        for year in year - 1...year + 1 {
            for change in [
                summer.start.wall(in: year) - Int64(standard), summer.end.wall(in: year) - Int64(summer.offset),
            ] {
                if change <= seconds { span.start = max(span.start, change) } else { span.end = min(span.end, change) }
            }
        }
        return span
    }

    private struct Parser {
        private let characters: [Character]
        private var position = 0

        init(_ text: String) { characters = Array(text) }

        var next: Character? { position < characters.count ? characters[position] : nil }
        var isAtEnd: Bool { next == nil }

        mutating func skip(_ character: Character) -> Bool {
            guard next == character else { return false }
            position += 1
            return true
        }

        /// Letters, or anything in angle brackets.
        mutating func name() -> Bool {
            if skip("<") {
                while let character = next, character != ">" { position += 1 }
                return skip(">")
            }
            let start = position
            while let character = next, character.isASCII, character.isLetter { position += 1 }
            return position - start >= 3
        }

        mutating func number() -> Int? {
            var digits = ""
            while let character = next, character.isASCII, character.isNumber, digits.count < 4 {
                digits.append(character)
                position += 1
            }
            return Int(digits)
        }

        /// `[+-]h[:m[:s]]` in seconds.
        mutating func time() -> Int? {
            let negative = skip("-")
            if !negative { _ = skip("+") }
            guard let hours = number(), hours <= 167 else { return nil }
            var seconds = hours * 3600
            if skip(":") {
                guard let minutes = number(), minutes < 60 else { return nil }
                seconds += minutes * 60
                if skip(":") {
                    guard let rest = number(), rest < 60 else { return nil }
                    seconds += rest
                }
            }
            return negative ? -seconds : seconds
        }

        mutating func rule() -> Rule? {
            let day: Day
            if skip("J") {
                guard let number = number(), (1...365).contains(number) else { return nil }
                day = .julian(number)
            } else if skip("M") {
                guard let month = number(), (1...12).contains(month), skip("."), let week = number(),
                    (1...5).contains(week), skip("."), let weekday = number(), weekday <= 6
                else { return nil }
                day = .weekday(month: month, week: week, day: weekday)
            } else {
                guard let number = number(), number <= 365 else { return nil }
                day = .zeroBased(number)
            }
            var time = 7200
            if skip("/") {
                guard let given = self.time() else { return nil }
                time = given
            }
            return Rule(day: day, time: time)
        }
    }
}
