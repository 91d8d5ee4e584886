/// The API's description, OpenAPI 3.1: `openapi.json` beside this file, served as it is. A test holds it to
/// the routes, both ways.
enum OpenAPI {
    static let document: [UInt8] = PackageResources.openapi_json
}
