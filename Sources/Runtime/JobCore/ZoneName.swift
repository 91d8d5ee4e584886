/// Names of time zones that people write.
///
/// A schedule names a place (`America/New_York`), not a time: "EST" is the winter time of New York for some and the time of
/// Panama, all year, for the zone database; "CST" is Chicago's, Shanghai's or Havana's. So abbreviations are refused, those that
/// the zone database knows for old times' sake too (EST, MST, HST, CET, EET, MET, WET, EST5EDT, …). UTC and GMT mean one thing.
package enum ZoneName {
    /// What to write in place of an abbreviation; nil for names that are none.
    package static func advice(_ name: String) -> String? {
        guard let places = places[name.uppercased()] else { return nil }
        return "\(name) is an abbreviation and no place: write " + ScheduleSentence.list(places, "or")
            + ", or Etc/GMT±h for a fixed distance from UTC"
    }

    private static let places: [String: [String]] = [
        "EST": ["America/New_York", "America/Panama (no summer time)"], "EDT": ["America/New_York"],
        "EST5EDT": ["America/New_York"], "CST": ["America/Chicago", "Asia/Shanghai"], "CDT": ["America/Chicago"],
        "CST6CDT": ["America/Chicago"], "MST": ["America/Denver", "America/Phoenix (no summer time)"],
        "MDT": ["America/Denver"], "MST7MDT": ["America/Denver"], "PST": ["America/Los_Angeles"],
        "PDT": ["America/Los_Angeles"], "PST8PDT": ["America/Los_Angeles"], "HST": ["Pacific/Honolulu"],
        "AKST": ["America/Anchorage"], "AKDT": ["America/Anchorage"], "AST": ["America/Halifax", "Asia/Riyadh"],
        "ADT": ["America/Halifax"], "NST": ["America/St_Johns"], "NDT": ["America/St_Johns"],
        "CET": ["Europe/Berlin", "Europe/Paris"], "CEST": ["Europe/Berlin", "Europe/Paris"],
        "EET": ["Europe/Helsinki", "Europe/Kyiv"], "EEST": ["Europe/Helsinki", "Europe/Kyiv"], "WET": ["Europe/Lisbon"],
        "WEST": ["Europe/Lisbon"], "MET": ["Europe/Berlin"], "MEST": ["Europe/Berlin"], "MEZ": ["Europe/Berlin"],
        "MESZ": ["Europe/Berlin"], "BST": ["Europe/London", "Asia/Dhaka"],
        "IST": ["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"],
        "MSK": ["Europe/Moscow"], "JST": ["Asia/Tokyo"], "KST": ["Asia/Seoul"], "HKT": ["Asia/Hong_Kong"],
        "SGT": ["Asia/Singapore"], "PKT": ["Asia/Karachi"],
        "AEST": ["Australia/Sydney", "Australia/Brisbane (no summer time)"],
        "AEDT": ["Australia/Sydney"], "ACST": ["Australia/Adelaide", "Australia/Darwin (no summer time)"],
        "ACDT": ["Australia/Adelaide"], "AWST": ["Australia/Perth"], "NZST": ["Pacific/Auckland"],
        "NZDT": ["Pacific/Auckland"],
        "SAST": ["Africa/Johannesburg"], "WAT": ["Africa/Lagos"], "CAT": ["Africa/Maputo"], "EAT": ["Africa/Nairobi"],
        "BRT": ["America/Sao_Paulo"], "ART": ["America/Argentina/Buenos_Aires"],
    ]
}
