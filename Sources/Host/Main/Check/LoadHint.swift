/// What to do about words of the loader that say only what is.
enum LoadHint {
    static func of(_ words: String) -> String? {
        if words.contains("exports no pawl_plugin_entry") {
            return "PAWL_PLUGIN(\"name\", \"1.0.0\", handlers) in the source makes it"
        }
        if words.contains("undefined symbol") {
            return "the library that has it is missing from the link: name it in a Makefile, as -lz"
        }
        if words.contains("_schema of handler"), words.contains("no valid JSON") {
            return "in a literal each quote needs its backslash, and between two members there is one comma"
        }
        return nil
    }
}
