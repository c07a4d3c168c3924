import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as SocketAddress from "../../io/sockets/SocketAddress.ts"
import { Migration } from "../../migration/Migration.ts"
import { define } from "./define.ts"
import { type Audience, follow } from "./follow.ts"
import { OutcomeJson, toJson } from "./outcome.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import * as SealParameters from "./sealParameters.ts"
import * as SocketParameters from "./socketParameters.ts"
import * as TlsParameters from "./tlsParameters.ts"
import { refuse } from "./usage.ts"

/**
 * `multifd receive --listen URI OUT`
 *
 * @internal
 */
export const receiveCommand = define({
  name: "receive",
  group: "Machines",
  description: "Receive a migration from QEMU over sockets and write it to an image",
  examples: [
    { command: "multifd receive --listen unix:/run/vm.sock vm.img", description: "QEMU: migrate unix:/run/vm.sock" },
    {
      command: "multifd receive --listen tcp:10.0.0.2:4444 --tls-dir /etc/pki/qemu --tls-verify-peer vm.img",
      description: "From another host, with certificates on both sides"
    }
  ],
  parameters: {
    listen: SocketParameters.address("listen", "Address to listen on"),
    target: Parameters.image("OUT", "The image to write"),
    ...SocketParameters.transfer,
    ...SocketParameters.patience,
    switchoverAck: SocketParameters.switchoverAck,
    ...TlsParameters.server,
    ...SealParameters.sealing,
    keepPartial: SealParameters.keepPartial,
    directIo: Parameters.directIo,
    ...Parameters.following
  },
  result: OutcomeJson,
  toJson,
  run: Effect.fnUntraced(function* (options) {
    yield* refuse("receive", TlsParameters.conflictsOf(options))
    const migration = yield* Migration
    const { channels, compression, directIo, target } = options
    const receive = Effect.fnUntraced(function* ({ listening, progress, warn }: Audience) {
      const tls = yield* TlsParameters.readServer(options)
      yield* checkApart("receive", [target.path], options)
      return yield* migration.receive({
        listen: options.listen,
        tls,
        onListening: (address) => listening(SocketAddress.format(address)),
        onProblem: warn,
        target,
        channels,
        compression,
        uuid: Option.getOrUndefined(options.uuid),
        switchoverAck: Option.getOrUndefined(options.switchoverAck),
        limits: { ...SocketParameters.limitsOf(options.timeout), ...SocketParameters.patienceOf(options) },
        seal: yield* SealParameters.readSeal(options),
        keepPartial: options.keepPartial,
        directIo,
        progress
      })
    })
    return yield* follow(
      options,
      { image: target, isWritten: true, keepPartial: options.keepPartial, role: "listener" },
      receive
    )
  })
})
