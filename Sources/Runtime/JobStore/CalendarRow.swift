package import JobCore

/// A calendar that schedules name.
package struct CalendarRow: Sendable, Hashable {
    package var name: String
    package var description: String?
    package var content: DateCalendar
    /// The set of files from which it was applied; nil: made by hand.
    package var appliedBy: String?
    package var createdAt: WallTime
    package var updatedAt: WallTime
    /// Grows with each change: the ETag.
    package var revision: Int64
    /// How many schedules name it.
    package var schedules: Int64
}

/// What a client says of a calendar.
package struct CalendarInput: Sendable, Hashable {
    package var name: String
    package var description: String?
    package var content: DateCalendar

    package init(name: String, description: String? = nil, content: DateCalendar) {
        self.name = name
        self.description = description
        self.content = content
    }
}
