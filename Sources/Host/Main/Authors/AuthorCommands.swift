import ArgumentParser

/// The commands for those who write plugins, in the order in which the help lists them.
enum AuthorCommands {
    static let all: [any ParsableCommand.Type] = [
        NewCommand.self, TestCommand.self, DevCommand.self, DevHostCommand.self,
    ]
}
