import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as AddressWarnings from "../../io/sockets/AddressWarnings.ts"
import * as Image from "../../image/Image.ts"
import { Migration } from "../../migration/Migration.ts"
import { define } from "./define.ts"
import { type Audience, follow } from "./follow.ts"
import { OutcomeJson, toJson } from "./outcome.ts"
import * as InstantParameters from "./instantParameters.ts"
import * as Parameters from "./parameters.ts"
import * as SealParameters from "./sealParameters.ts"
import * as SocketParameters from "./socketParameters.ts"
import * as TlsParameters from "./tlsParameters.ts"
import { refuse } from "./usage.ts"

/**
 * `multifd send IMAGE --to URI`
 *
 * @internal
 */
export const sendCommand = define({
  name: "send",
  group: "Machines",
  description: "Send an image over sockets to a QEMU started with -incoming",
  examples: [
    { command: "multifd send vm.img --to unix:/run/vm.sock", description: "QEMU: migrate-incoming unix:/run/vm.sock" },
    {
      command: "multifd send vm.img --to tcp:10.0.0.2:4444 --channels 8 --compression zstd",
      description: "Over a slow network, compressed"
    }
  ],
  parameters: {
    image: Parameters.image("IMAGE", "The image to read"),
    to: SocketParameters.address("to", "Address of the receiver"),
    ...SocketParameters.transfer,
    level: SocketParameters.level,
    zeroPageDetection: SocketParameters.zeroPageDetection,
    marks: SocketParameters.marks,
    maxBandwidth: SocketParameters.maxBandwidth,
    ...TlsParameters.client,
    ...SealParameters.verification,
    allowLost: SealParameters.allowLost,
    ...InstantParameters.sending,
    ...Parameters.following
  },
  result: OutcomeJson,
  toJson,
  run: Effect.fnUntraced(function* (options) {
    const { channels, compression, maxBandwidth, to } = options
    const none = { recover: false, fallback: false }
    yield* refuse("send", [
      ...TlsParameters.conflictsOf(options),
      ...InstantParameters.conflictsOf({ ...options, ...none })
    ])
    const migration = yield* Migration
    const send = Effect.fnUntraced(function* (audience: Audience) {
      const { progress, warn } = audience
      const tls = yield* TlsParameters.readClient(options)
      yield* Effect.forEach(AddressWarnings.ofSender(to, tls), warn, { discard: true })
      const source = yield* Image.open(options.image, yield* SealParameters.readVerification(options))
      const limits = SocketParameters.limitsOf(options.timeout)
      if (options.instant) {
        const { handshakeTimeout: connectTimeout, idleTimeout } = limits ?? {}
        return yield* InstantParameters.send(
          options,
          { source, to, tls, progress, connectTimeout, idleTimeout, allowLost: options.allowLost },
          audience
        )
      }
      return yield* migration.send({
        source,
        to,
        tls,
        channels,
        compression,
        level: Option.getOrUndefined(options.level),
        zeroPageDetection: Option.getOrUndefined(options.zeroPageDetection),
        marks: Option.getOrUndefined(options.marks),
        maxBandwidth,
        allowLost: options.allowLost,
        uuid: Option.getOrUndefined(options.uuid),
        limits,
        progress
      })
    }, Effect.scoped)
    return yield* follow(options, { image: options.image, left: "the receiver has no complete machine" }, send)
  })
})
