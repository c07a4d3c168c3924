/**
 * What is only shown decides nothing: whatever QEMU makes of it in some version, it is no error.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/**
 * A field that is left out where it is missing, and where it has another form.
 *
 * @internal
 */
export const lenient = <A, I>(schema: Schema.Codec<A, I>) =>
  Schema.optionalKey(schema.pipe(Schema.catchDecoding(() => Effect.succeedNone)))

/**
 * An integer of 64 bits comes as a bigint. A double is exact enough for a number that is only shown.
 *
 * @internal
 */
export const AnyNumber = Schema.Union([Schema.Number, Schema.BigInt]).pipe(
  Schema.decodeTo(
    Schema.Number,
    SchemaTransformation.transform({ decode: Number, encode: (value): number | bigint => value })
  )
)
