import PluginABI
import Testing

/// `pawl-ffi.so` with libraries of the machine and a fixture. Serialised: the entry keeps one manifest per process.
@Suite(.serialized, .enabled(if: PluginFile.directory != nil)) struct FFITests {
    private func plugin(_ functions: String, library: String? = nil) throws -> PluginFile {
        let library = library ?? "\(PluginFile.directory ?? "")/fixtures/libffi-types.so"
        return try PluginFile(
            "pawl-ffi.so",
            configuration: #"{"plugin":"t","version":"1","library":"\#(library)","functions":[\#(functions)]}"#)
    }

    /// A handler of one argument and result of one type.
    private func unary(_ symbol: String, _ type: String) -> String {
        #"{"name":"t.f","symbol":"\#(symbol)","params":[{"name":"x","type":"\#(type)"}],"result":"\#(type)"}"#
    }

    @Test func zlib() async throws {
        let plugin = try self.plugin(
            #"""
            {"name":"zlib.crc32","symbol":"crc32","params":[{"name":"crc","type":"u64","default":0},
             {"name":"data","type":"bytes","length_type":"u32"}],"result":"u64"}
            """#, library: "libz.so.1")
        let (status, record) = await plugin.run("zlib.crc32", #"{"data":"hello"}"#)
        #expect(status == PAWL_OK)
        #expect(record.json == #"{"result":907060870}"#)
        #expect(await plugin.run("zlib.crc32", #"{"data":""}"#).record.json == #"{"result":0}"#)
        #expect(
            await plugin.run("zlib.crc32", #"{"crc":"907060870","data":""}"#).record.json == #"{"result":907060870}"#)
    }

    @Test(arguments: [
        ("i8_twice", "i8", "-64", "-128"), ("i8_twice", "i8", "100", "-56"), ("u8_twice", "u8", "127", "254"),
        ("u8_twice", "u8", "128", "0"), ("i16_twice", "i16", "-3", "-6"), ("u16_twice", "u16", "32767", "65534"),
        ("i32_twice", "i32", "-7", "-14"), ("u32_twice", "u32", "2147483647", "4294967294"),
        ("i64_same", "i64", "-5", "-5"), ("i64_same", "i64", #""-9223372036854775808""#, #""-9223372036854775808""#),
        ("u64_same", "u64", "9007199254740992", "9007199254740992"),
        ("u64_same", "u64", #""18446744073709551615""#, #""18446744073709551615""#),
        ("u64_same", "usize", "1e3", "1000"), ("i64_same", "isize", "5.0", "5"),
        ("f32_half", "f32", "0.3", "0.15"), ("f64_half", "f64", "0.2", "0.1"), ("f64_half", "f64", "1e-320", "5e-321"),
        ("f64_half", "f64", #""Infinity""#, #""Infinity""#), ("f32_half", "f32", #""NaN""#, #""NaN""#),
        ("not", "bool", "true", "false"), ("not", "bool", "false", "true"),
    ])
    func scalars(symbol: String, type: String, given: String, expected: String) async throws {
        let plugin = try self.plugin(self.unary(symbol, type))
        let (status, record) = await plugin.run("t.f", #"{"x":\#(given)}"#)
        #expect(status == PAWL_OK, "\(record.failure?.message ?? "")")
        #expect(record.json == #"{"result":\#(expected)}"#)
    }

    @Test(arguments: [
        ("i8_twice", "i8", "128", "must be a whole number from -128 to 127"),
        ("i8_twice", "i8", "-129", "must be a whole number from -128 to 127"),
        ("u8_twice", "u8", "-1", "must be a whole number from 0 to 255"),
        ("u8_twice", "u8", "1.5", "must be a whole number from 0 to 255"),
        ("u8_twice", "u8", #""""#, "must be a whole number from 0 to 255"),
        ("u8_twice", "u8", "true", "must be a whole number from 0 to 255"),
        ("u32_twice", "u32", "4294967296", "must be a whole number from 0 to 4294967295"),
        ("u64_same", "u64", "9007199254740993", "beyond 9007199254740992 as a decimal string"),
        ("u64_same", "u64", #""18446744073709551616""#, "from 0 to 18446744073709551615"),
        ("i64_same", "i64", #""9223372036854775808""#, "to 9223372036854775807"),
        ("f32_half", "f32", "1e39", "must be a number within the range of a float"),
        ("f64_half", "f64", "1e400", "must be a number within the range of a double"),
        ("f64_half", "f64", #""x""#, "must be a number, or"), ("not", "bool", "1", "must be true or false"),
        ("not", "bool", "null", "must be true or false"),
    ])
    func valuesOutOfTheirTypeAreRefused(symbol: String, type: String, given: String, words: String) async throws {
        let plugin = try self.plugin(self.unary(symbol, type))
        let (status, record) = await plugin.run("t.f", #"{"x":\#(given)}"#)
        #expect(status == PAWL_E_INVALID_INPUT)
        #expect(record.failure?.message.contains(words) == true, "\(record.failure?.message ?? "none")")
        #expect(record.failure?.details == #"{"pointer":"/x"}"#)
        #expect(record.failure?.retry == PAWL_RETRY_NEVER)
    }

    @Test func manyArgumentsKeepTheirOrder() async throws {
        let types = ["i8", "f64", "u16", "f32", "i64", "u8", "i32", "f64", "i16", "u64"]
        let params = zip("abcdefghij", types).map { #"{"name":"\#($0)","type":"\#($1)"}"# }.joined(separator: ",")
        let plugin = try self.plugin(
            #"{"name":"t.f","symbol":"weighted","params":[\#(params)],"result":"f64"}"#)
        let args = #"{"j":10,"i":-9,"h":0.5,"g":-7,"f":6,"e":-5,"d":0.25,"c":3,"b":1.5,"a":-1}"#
        let (_, record) = await plugin.run("t.f", args)
        // -1 + 2*1.5 + 3*3 + 4*0.25 - 5*5 + 6*6 - 7*7 + 8*0.5 - 9*9 + 10*10
        #expect(record.json == #"{"result":-3}"#)
    }

    @Test func textsAndBytes() async throws {
        let plugin = try self.plugin(
            #"""
            {"name":"t.length","symbol":"length_of","params":[{"name":"s","type":"cstring","nullable":true}],"result":"usize"},
            {"name":"t.shout","symbol":"shout","params":[{"name":"s","type":"cstring"}],"result":"cstring","free":"release"},
            {"name":"t.freed","symbol":"freed_count","params":[],"result":"i32"},
            {"name":"t.none","symbol":"no_text","params":[],"result":"cstring"},
            {"name":"t.broken","symbol":"broken_text","params":[],"result":"cstring"},
            {"name":"t.sum","symbol":"sum_bytes","params":[{"name":"b","type":"bytes","length_type":"u16"}],"result":"i64"},
            {"name":"t.sum64","symbol":"sum_bytes",
             "params":[{"name":"b","type":"bytes","length_type":"u16","encoding":"base64"}],"result":"i64"}
            """#)
        #expect(await plugin.run("t.length", #"{"s":"h\u00e9llo"}"#).record.json == #"{"result":6}"#)
        #expect(await plugin.run("t.length", #"{"s":null}"#).record.json == #"{"result":0}"#)
        let (status, record) = await plugin.run("t.length", #"{"s":"a\u0000b"}"#)
        #expect(status == PAWL_E_INVALID_INPUT)
        #expect(record.failure?.message.contains("U+0000") == true)
        #expect(await plugin.run("t.shout", #"{"s":"a\"b"}"#).record.json == #"{"result":"A\"B"}"#)
        #expect(await plugin.run("t.freed", "{}").record.json == #"{"result":1}"#)
        #expect(await plugin.run("t.none", "{}").record.json == #"{"result":null}"#)
        #expect(await plugin.run("t.broken", "{}").record.json == "{\"result\":\"a\u{FFFD}z\\\"\\n\"}")
        #expect(await plugin.run("t.sum", #"{"b":"\u0001\u0000\u0002"}"#).record.json == #"{"result":3}"#)
        #expect(await plugin.run("t.sum64", #"{"b":"/wAB"}"#).record.json == #"{"result":256}"#)
        #expect(await plugin.run("t.sum64", #"{"b":"/wA="}"#).record.json == #"{"result":255}"#)
        #expect(await plugin.run("t.sum64", #"{"b":"/w="}"#).status == PAWL_E_INVALID_INPUT)
        let long = String(repeating: "a", count: 65536)
        let tooLong = await plugin.run("t.sum", #"{"b":"\#(long)"}"#)
        #expect(tooLong.record.failure?.message == "args/b: is longer than its length type can say")
    }

    @Test func errnoAndVoid() async throws {
        let plugin = try self.plugin(
            #"""
            {"name":"t.fail","symbol":"fail_with","params":[{"name":"e","type":"i32","const":2}],"result":"i32","errno":true},
            {"name":"t.nothing","symbol":"nothing","params":[],"result":"void","errno":true}
            """#)
        let failed = await plugin.run("t.fail", "{}")
        #expect(failed.record.json == #"{"result":-1,"errno":2,"error":"No such file or directory"}"#)
        #expect(await plugin.run("t.fail", #"{"e":3}"#).record.failure?.message == "args/e: is unknown; known are none")
        #expect(await plugin.run("t.nothing", "{}").record.json == #"{"result":null,"errno":0}"#)
    }

    @Test(arguments: [
        ("{}", "args/x: is missing"), (#"{"x":1,"y~/":2}"#, "args/y~0~1: is unknown; known are x"),
        ("[1]", "args: must be an object"), ("{", "args: a member's name is expected (at byte 1)"),
        (#"{"x":01}"#, "args: a number is malformed (at byte 7)"), ("", "args: a value is expected (at byte 0)"),
    ])
    func wrongArgs(args: String, words: String) async throws {
        let plugin = try self.plugin(self.unary("i32_twice", "i32"))
        let (status, record) = await plugin.run("t.f", args)
        #expect(status == PAWL_E_INVALID_INPUT)
        #expect(record.failure?.message == words)
    }

    @Test(arguments: [
        (#"{"name":"t.f","symbol":"nowhere","params":[],"result":"i32"}"#, #"has no function "nowhere""#),
        (#"{"name":"t.f","symbol":"variable","params":[],"result":"i32"}"#, "is a variable, not a function"),
        (
            #"{"name":"t.f","symbol":"abs","params":[],"result":"int"}"#,
            #"functions[0]: unknown type "int"; known are void,"#
        ),
        (#"{"name":"t.f","symbol":"abs","parms":[],"result":"i32"}"#, #"unknown member "parms""#),
        (#"{"name":"t.f","symbol":"abs","result":"i32"}"#, #""params" is missing"#),
        (#"{"name":"t.f","symbol":"abs","params":{},"result":"i32"}"#, #""params" must be an array"#),
        (#"{"name":"t.f","symbol":"abs","params":[{"name":"x"}],"result":"i32"}"#, #"params[0]: "type" is missing"#),
        (#"{"name":"t.f","symbol":"abs","params":[{"name":"x","type":"void"}],"result":"i32"}"#, "cannot be void"),
        (
            #"{"name":"t.f","symbol":"abs","params":[{"name":"x","type":"u8","default":300}],"result":"i32"}"#,
            #""default" must be a whole number from 0 to 255"#
        ),
        (
            #"{"name":"t.f","symbol":"abs","params":[{"name":"x","type":"i32"},{"name":"x","type":"i32"}],"result":"i32"}"#,
            #"the name "x" is taken"#
        ),
        (#"{"name":"t.f","symbol":"abs","params":[],"result":"bytes"}"#, "a result cannot be bytes"),
    ])
    func wrongManifestsSayWhere(function: String, words: String) throws {
        let refused = #expect(throws: PluginFile.Refused.self) { _ = try self.plugin(function) }
        #expect(refused?.words.first?.contains(words) == true, "\(refused?.words ?? [])")
    }

    @Test func aMissingLibraryAndAMissingManifestAreNamed() throws {
        let library = #expect(throws: PluginFile.Refused.self) {
            _ = try self.plugin(self.unary("abs", "i32"), library: "libnowhere.so.9")
        }
        #expect(library?.words.first?.contains(#"cannot load the library "libnowhere.so.9""#) == true)
        let manifest = #expect(throws: PluginFile.Refused.self) { _ = try PluginFile("pawl-ffi.so") }
        #expect(manifest?.words.first?.contains("needs a manifest") == true)
        let broken = #expect(throws: PluginFile.Refused.self) {
            _ = try PluginFile("pawl-ffi.so", configuration: "{\"plugin\":")
        }
        #expect(broken?.words.first == "a value is expected (at byte 10)")
    }
}
