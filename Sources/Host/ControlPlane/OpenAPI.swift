/// The API's description, OpenAPI 3.1.
enum OpenAPI {
    static let document: [UInt8] = Array("{}".utf8)
}
