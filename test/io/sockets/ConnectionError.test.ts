import { assert, describe, it } from "@effect/vitest"
import * as Runtime from "effect/Runtime"
import * as ConnectionError from "../../../src/io/sockets/ConnectionError.ts"

const cause = new Error("why")
const peer = "tcp:127.0.0.1:4444"

const one = {
  connect: new ConnectionError.ConnectError({ address: peer, code: "ECONNREFUSED", cause }),
  listen: new ConnectionError.ListenError({ address: peer, operation: "listen", code: "EADDRINUSE", cause }),
  lost: new ConnectionError.ConnectionLostError({ peer, operation: "read", code: "ECONNRESET", cause }),
  ended: new ConnectionError.ConnectionEndedError({ peer, expected: 12, found: 3 }),
  tls: new ConnectionError.TlsError({ peer, reason: "certificate", code: "CERT_HAS_EXPIRED", cause }),
  timeout: new ConnectionError.PeerTimeoutError({ peer, expected: "a packet", milliseconds: 1500 })
}
const all: ReadonlyArray<ConnectionError.ConnectionError> = Object.values(one)

describe("ConnectionError", () => {
  it("says what was expected, what was found, and where", () => {
    assert.deepStrictEqual(
      all.map(({ message }) => message),
      [
        "tcp:127.0.0.1:4444: cannot connect (ECONNREFUSED)",
        "tcp:127.0.0.1:4444: cannot listen (EADDRINUSE)",
        "tcp:127.0.0.1:4444: connection lost (read: ECONNRESET)",
        "tcp:127.0.0.1:4444: expected 12 more bytes, the peer closed the connection after 3",
        "tcp:127.0.0.1:4444: TLS: the peer's certificate is not trusted (CERT_HAS_EXPIRED)",
        "tcp:127.0.0.1:4444: timed out after 1.5 s waiting for a packet"
      ]
    )
  })

  it("has the exit code of its kind", () => {
    assert.deepStrictEqual(
      all.map((error) => error[Runtime.errorExitCode]),
      [6, 6, 6, 6, 8, 9]
    )
    const ours = new ConnectionError.TlsError({ peer: "/x", reason: "credentials", code: "ENOENT" })
    assert.strictEqual(ours[Runtime.errorExitCode], 6)
  })

  it("names the connection of the migration", () => {
    for (const error of all) {
      const third = ConnectionError.at(error, { channel: 3 })
      assert.strictEqual(third._tag, error._tag)
      assert.include(third.message, `${peer} (channel 3): `)
      assert.strictEqual(third[Runtime.errorExitCode], error[Runtime.errorExitCode])
      const { channel, ...rest } = third
      assert.strictEqual(channel, 3)
      assert.deepStrictEqual(rest, { ...error })
    }
    assert.include(ConnectionError.at({ channel: "main" })(one.lost).message, "(main channel)")
    assert.strictEqual(ConnectionError.at({ channel: "main" })(one.lost).cause, cause)
  })

  it("what is said already stays", () => {
    const first = ConnectionError.at(one.lost, { channel: 1 })
    assert.strictEqual(ConnectionError.at(first, { channel: 2 }), first)
    assert.strictEqual(ConnectionError.at(one.lost, {}), one.lost)
  })
})
