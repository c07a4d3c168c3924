/**
 * What both sides agreed on, or what is known of the channel.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export interface DecodeOptions {
  /** Bytes of a page, the same for all blocks. */
  readonly pageSize: number
  /** The flag of the method that both sides were set to. Default 0, no compression. */
  readonly method?: number | undefined
  /** Bytes of payload at most, with compression. Default {@link MAX_PAYLOAD_BYTES}. */
  readonly maxPayload?: number | undefined
  /** Where on the connection the packet began, for what is said of it. Default 0. */
  readonly position?: number | undefined
}
