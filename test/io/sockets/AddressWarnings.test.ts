import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import * as AddressWarnings from "../../../src/io/sockets/AddressWarnings.ts"
import * as SocketAddress from "../../../src/io/sockets/SocketAddress.ts"
import * as TlsCredentials from "../../../src/io/sockets/TlsCredentials.ts"

const fixture = (name: string): string => Path.join(import.meta.dirname, "../../fixtures/tls", name)

const here = [
  SocketAddress.unix("/run/vm.sock"),
  ...["", "localhost", "LOCALHOST", "127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"].map((host) =>
    SocketAddress.tcp(host, 4444)
  )
]
const elsewhere = ["0.0.0.0", "0", "::", "10.0.0.2", "host.example", "localhost.example", "1127.0.0.1", "127.1.example"]

describe("AddressWarnings", () => {
  it.effect("of this machine there is nothing to say", () =>
    Effect.gen(function* () {
      const tls = yield* TlsCredentials.serverFromDirectory(fixture("x509"), { verifyPeer: false })
      for (const address of here) {
        assert.deepStrictEqual(AddressWarnings.ofListener(address, undefined), [])
        assert.deepStrictEqual(AddressWarnings.ofListener(address, tls), [])
        assert.deepStrictEqual(AddressWarnings.ofSender(address, undefined), [])
      }
    })
  )

  it.effect.each(elsewhere)("a peer of %s must authenticate", (host) =>
    Effect.gen(function* () {
      const address = SocketAddress.tcp(host, 4444)
      const uri = SocketAddress.format(address)
      const mutual = yield* TlsCredentials.serverFromDirectory(fixture("x509"), { verifyPeer: true })
      const oneSided = yield* TlsCredentials.serverFromDirectory(fixture("x509"), { verifyPeer: false })
      const keys = yield* TlsCredentials.serverFromPskFile(fixture("psk/keys.psk"))
      const [inTheClear] = AddressWarnings.ofListener(address, undefined)
      assert.include(inTheClear, `reaches ${uri} can send an image or read along`)
      assert.match(AddressWarnings.ofListener(address, oneSided)[0]!, /can send an image: demand a certificate/)
      assert.deepStrictEqual(AddressWarnings.ofListener(address, mutual), [])
      assert.deepStrictEqual(AddressWarnings.ofListener(address, keys), [])
    })
  )

  it.effect.each(elsewhere)("what goes to %s goes in the clear without TLS", (host) =>
    Effect.gen(function* () {
      const address = SocketAddress.tcp(host, 4444)
      const tls = yield* TlsCredentials.clientFromDirectory(fixture("x509"))
      assert.include(AddressWarnings.ofSender(address, undefined)[0], `${SocketAddress.format(address)} in the clear`)
      assert.deepStrictEqual(AddressWarnings.ofSender(address, tls), [])
    })
  )
})
