import Plugins

/// What `pawl check` says of a manifest's declarations beside the library's own.
struct DeclarationFindings {
    private let check: DeclarationCheck

    init(_ check: DeclarationCheck) { self.check = check }

    func findings() -> [CheckFinding] {
        var findings = self.check.functions.filter { $0.state == .mismatch }.map { function in
            CheckFinding(
                "declaration", .refused, "\(function.place) (\(function.name)): \(function.words)",
                advice:
                    "take the types from the library's header; if its debug information is wrong, say \"unchecked\": true there"
            )
        }
        findings += self.check.notes.map { CheckFinding("declaration", .note, $0) }
        let checked = self.check.functions.filter { $0.state == .checked }.map(\.name)
        if !checked.isEmpty {
            let names = checked.prefix(6).joined(separator: ", ") + (checked.count > 6 ? ", …" : "")
            findings.append(
                CheckFinding(
                    "declaration", .ok, "\(names): as the debug information of \(self.check.library) has it"))
        }
        return findings
    }
}
