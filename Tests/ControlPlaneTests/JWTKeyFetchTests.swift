import JobCore
import Logging
import Testing
import UVLoop

@testable import ControlPlane

/// Keys of JSON Web Tokens from an address: when it is asked, and what counts when it does not answer.
@Suite struct JWTKeyFetchTests {
    /// The address: what it answers, and how often it was asked.
    @LoopActor
    private final class Provider: JWTKeyFetching {
        var body: String?
        var count = 0
        /// Answers wait for it.
        var isHeld = false

        init(_ body: String?) { self.body = body }

        func fetch(_ url: String) async throws(KeyFetchFault) -> [UInt8] {
            count += 1
            while isHeld {
                do { try await LoopClock.sleep(for: .milliseconds(5)) } catch { throw KeyFetchFault("cancelled") }
            }
            guard let body else { throw KeyFetchFault("nobody answers") }
            return Array(body.utf8)
        }
    }

    private static let now = WallTime(micros: 1_800_000_000_000_000)
    private static let start = LoopInstant.now

    @LoopActor
    private static func book(_ provider: Provider) -> JWTBook {
        JWTBook(
            rules: JWTRules(
                source: .address("https://id.example/keys"), issuer: "https://id.example", audience: "pawl"),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, fetcher: provider)
    }

    @LoopActor
    private static func fault(_ book: JWTBook, _ token: String, after seconds: Int) async -> JWTFault? {
        do throws(JWTFault) {
            _ = try await book.principal(
                of: token, now: now, at: start.advanced(by: .seconds(seconds)))
            return nil
        } catch {
            return error
        }
    }

    @Test func firstTokenWaitsForTheKeys() async throws {
        try await LoopActor.test {
            let provider = Provider(try JWTTests.set())
            provider.isHeld = true
            let book = Self.book(provider)
            book.begin(at: Self.start)
            let token = try JWTTests.token()
            async let first = Self.fault(book, token, after: 0)
            async let second = Self.fault(book, token, after: 0)
            try await LoopClock.sleep(for: .milliseconds(20))
            provider.isHeld = false
            let found = await [first, second]
            #expect(found == [nil, nil] && provider.count == 1)
        }
    }

    @Test func anUnknownKeyAsksAgainButNotOften() async throws {
        try await LoopActor.test {
            let provider = Provider(#"{"keys":[]}"#)
            let book = Self.book(provider)
            let token = try JWTTests.token()
            // No key at all is as good as no answer; then it is asked every five seconds.
            #expect(await Self.fault(book, token, after: 0) == .key)
            #expect(await Self.fault(book, token, after: 4) == .key)
            #expect(provider.count == 1 && book.keys.isEmpty && book.fetches.failed == 1)
            provider.body = try JWTTests.set()
            #expect(await Self.fault(book, token, after: 5) == nil)
            #expect(provider.count == 2)
            // Named, and not known: one look in half a minute, however many ask.
            let strange = try JWTTests.token(kid: "new")
            for second in 6..<35 { #expect(await Self.fault(book, strange, after: second) == .key) }
            #expect(provider.count == 2)
            #expect(await Self.fault(book, strange, after: 35) == .key)
            #expect(provider.count == 3)
            // The provider has rolled its keys: the token with the new one counts as soon as it may be asked.
            provider.body = try JWTTests.set().replacing(#""kid":"ed""#, with: #""kid":"new""#)
            #expect(await Self.fault(book, strange, after: 64) == .key)
            #expect(await Self.fault(book, strange, after: 65) == nil)
            #expect(await Self.fault(book, token, after: 66) == .key, "the old one is gone")
            #expect(provider.count == 4)
            // What is wrong for another reason asks nobody.
            #expect(await Self.fault(book, "a.b.c", after: 200) == .malformed)
            #expect(await Self.fault(book, try JWTTests.token(kid: "ec"), after: 200) == .key)
            #expect(provider.count == 5)
        }
    }

    @Test func oldKeysCountWhenNobodyAnswers() async throws {
        try await LoopActor.test {
            let provider = Provider(try JWTTests.set())
            let book = Self.book(provider)
            let token = try JWTTests.token()
            #expect(await Self.fault(book, token, after: 0) == nil)
            for (index, body) in [nil, "", "{", #"{"keys":[]}"#, #"{"keys":[{"kty":"oct","k":"AA"}]}"#].enumerated() {
                provider.body = body
                // Older than five minutes: asked in the background, while the old ones count.
                #expect(await Self.fault(book, token, after: 300 + 30 * index) == nil)
                for _ in 0..<100 where book.fetches.failed <= index {
                    try await LoopClock.sleep(for: .milliseconds(5))
                }
                #expect(book.fetches.failed == index + 1 && book.keys.count == 3 && provider.count == index + 2)
                #expect(await Self.fault(book, token, after: 301 + 30 * index) == nil, "not again at once")
                #expect(provider.count == index + 2)
            }
            #expect(book.families.first?.samples.map(\.value) == [1, 5])
        }
    }

    @Test func whichAddressesMayBeAsked() {
        for text in [
            "https://id.example/keys", "https://id.example", "HTTPS://id.example:8443/a?b=c",
            "http://127.0.0.1:80/keys",
            "http://localhost/keys", "http://[::1]:9/keys", "http://127.1.2.3",
        ] { #expect(JWTKeySource(text) == .address(text), "\(text)") }
        for text in [
            "http://id.example/keys", "http://127.0.0.1.example/keys", "http://localhost.example",
            "ftp://127.0.0.1/keys",
            "https://", "https:///keys", "https://user:secret@id.example/keys", "https://id.example/#keys",
            "https://id.example/a b", "https://id.example/\n", "http://127.0.0.1@id.example/", "http://0/keys",
            "http://[::1].example/", "://x", "file:///etc/keys", "http://127.0.0.1\\@id.example/",
        ] { #expect(JWTKeySource(text) == nil, "\(text)") }
        #expect(JWTKeySource("/etc/pawl/jwks.json") == .file("/etc/pawl/jwks.json"))
    }
}
