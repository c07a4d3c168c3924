import * as Schema from "effect/Schema"

/**
 * What a field of a JSON document means; goes into its schema.
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
