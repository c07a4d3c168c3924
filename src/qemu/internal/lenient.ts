/** Values that are only displayed decide nothing: in whatever form a version of QEMU sends them, it is not an error. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaTransformation from "effect/SchemaTransformation"

/**
 * A field that is left out if it is missing or has another form.
 *
 * @internal
 */
export const lenient = <A, I>(schema: Schema.Codec<A, I>) =>
  Schema.optionalKey(schema.pipe(Schema.catchDecoding(() => Effect.succeedNone)))

/**
 * An integer of 64 bits arrives as a bigint. A double is exact enough for a displayed number.
 *
 * @internal
 */
export const AnyNumber = Schema.Union([Schema.Number, Schema.BigInt]).pipe(
  Schema.decodeTo(
    Schema.Number,
    SchemaTransformation.transform({ decode: Number, encode: (value): number | bigint => value })
  )
)
