/**
 * Save, restore, convert, send and receive, with their options.
 *
 * @stability stable
 * @since 0.1.0
 */
export * from "../migration/Migration.ts"
export type * from "../migration/ReceiveOptions.ts"
export type * from "../migration/SendOptions.ts"
