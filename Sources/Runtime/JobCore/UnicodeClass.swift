/// Classes of `\p{…}` by the standard library's own tables: general categories and some binary properties, no scripts.
enum UnicodeClass {
    static func test(named name: String) -> (@Sendable (Unicode.Scalar) -> Bool)? {
        var name = name
        for prefix in ["General_Category=", "gc="] where name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
        if let categories = categories[name] { return { categories.contains($0.properties.generalCategory) } }
        switch name {
        case "Any": return { _ in true }
        case "ASCII": return { $0.isASCII }
        case "Alphabetic", "Alpha": return { $0.properties.isAlphabetic }
        case "Lowercase", "Lower": return { $0.properties.isLowercase }
        case "Uppercase", "Upper": return { $0.properties.isUppercase }
        case "White_Space", "space": return { $0.properties.isWhitespace }
        case "Emoji": return { $0.properties.isEmoji }
        case "ID_Start", "IDS": return { $0.properties.isIDStart }
        case "ID_Continue", "IDC": return { $0.properties.isIDContinue }
        default: return nil
        }
    }

    // Names: Unicode's PropertyValueAliases.txt.
    private static let categories: [String: Set<Unicode.GeneralCategory>] = {
        let single: [(String, String, Unicode.GeneralCategory)] = [
            ("Lu", "Uppercase_Letter", .uppercaseLetter), ("Ll", "Lowercase_Letter", .lowercaseLetter),
            ("Lt", "Titlecase_Letter", .titlecaseLetter), ("Lm", "Modifier_Letter", .modifierLetter),
            ("Lo", "Other_Letter", .otherLetter), ("Mn", "Nonspacing_Mark", .nonspacingMark),
            ("Mc", "Spacing_Mark", .spacingMark), ("Me", "Enclosing_Mark", .enclosingMark),
            ("Nd", "Decimal_Number", .decimalNumber), ("Nl", "Letter_Number", .letterNumber),
            ("No", "Other_Number", .otherNumber), ("Pc", "Connector_Punctuation", .connectorPunctuation),
            ("Pd", "Dash_Punctuation", .dashPunctuation), ("Ps", "Open_Punctuation", .openPunctuation),
            ("Pe", "Close_Punctuation", .closePunctuation), ("Pi", "Initial_Punctuation", .initialPunctuation),
            ("Pf", "Final_Punctuation", .finalPunctuation), ("Po", "Other_Punctuation", .otherPunctuation),
            ("Sm", "Math_Symbol", .mathSymbol), ("Sc", "Currency_Symbol", .currencySymbol),
            ("Sk", "Modifier_Symbol", .modifierSymbol), ("So", "Other_Symbol", .otherSymbol),
            ("Zs", "Space_Separator", .spaceSeparator), ("Zl", "Line_Separator", .lineSeparator),
            ("Zp", "Paragraph_Separator", .paragraphSeparator), ("Cc", "Control", .control), ("Cf", "Format", .format),
            ("Cs", "Surrogate", .surrogate), ("Co", "Private_Use", .privateUse), ("Cn", "Unassigned", .unassigned),
        ]
        let groups = [
            ("L", "Letter"), ("M", "Mark"), ("N", "Number"), ("P", "Punctuation"), ("S", "Symbol"), ("Z", "Separator"),
            ("C", "Other"),
        ]
        var table: [String: Set<Unicode.GeneralCategory>] = [
            "LC": [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter],
            "Cased_Letter": [.uppercaseLetter, .lowercaseLetter, .titlecaseLetter],
        ]
        for (short, long, category) in single {
            table[short] = [category]
            table[long] = [category]
            for group in groups where short.hasPrefix(group.0) {
                table[group.0, default: []].insert(category)
                table[group.1, default: []].insert(category)
            }
        }
        table["punct"] = table["P"]
        table["digit"] = table["Nd"]
        return table
    }()
}
