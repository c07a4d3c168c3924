/**
 * The agreement between both sides, and the state of the channel.
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
  /** Most bytes of payload, with compression. Default {@link MAX_PAYLOAD_BYTES}. */
  readonly maxPayload?: number | undefined
  /** Position of the packet on the connection, for findings. Default 0. */
  readonly position?: number | undefined
}
