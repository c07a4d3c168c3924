import * as Schema from "effect/Schema"

/**
 * The meaning of a field of a JSON document, for its schema.
 *
 * @internal
 */
export const describe = (description: string) => ({ description })

/**
 * A number of bytes or things, or an offset.
 *
 * @internal
 */
export const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
