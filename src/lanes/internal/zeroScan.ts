import { Buffer } from "node:buffer"

/**
 * `zeroScan.wat`, assembled: `npx wat2wasm src/lanes/internal/zeroScan.wat -o /dev/stdout | base64 -w0`.
 *
 * @internal
 */
export const zeroScan: Uint8Array<ArrayBuffer> = Uint8Array.from(
  Buffer.from(
    "AGFzbQEAAAABCAFgBH9/f38AAhABBGxhbmUGbWVtb3J5AgABAwIBAAcIAQRzY2FuAAAKdQFzAQJ/AkADQCACRQ0BIAAgAWohBEEA" +
      "IQUCQANAIAD9AAQAIAD9AAQQ/VAgAP0ABCAgAP0ABDD9UP1Q/VMEQEEBIQUMAgsgAEHAAGohACAAIARJDQALCyADIAU6AAAgA0EBaiEDIAQhACACQQFrIQIMAAsLCw==",
    "base64"
  )
)
