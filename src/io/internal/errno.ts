import * as Os from "node:os"
import { getSystemErrorMap } from "node:util"

/** Linux's errnos without a name in Node. */
const linux: { readonly [number: number]: string } = {
  15: "ENOTBLK",
  44: "ECHRNG",
  45: "EL2NSYNC",
  46: "EL3HLT",
  47: "EL3RST",
  48: "ELNRNG",
  49: "EUNATCH",
  50: "ENOCSI",
  51: "EL2HLT",
  52: "EBADE",
  53: "EBADR",
  54: "EXFULL",
  55: "ENOANO",
  56: "EBADRQC",
  57: "EBADSLT",
  59: "EBFONT",
  64: "ENONET",
  65: "ENOPKG",
  66: "EREMOTE",
  68: "EADV",
  69: "ESRMNT",
  70: "ECOMM",
  73: "EDOTDOT",
  76: "ENOTUNIQ",
  77: "EBADFD",
  78: "EREMCHG",
  79: "ELIBACC",
  80: "ELIBBAD",
  81: "ELIBSCN",
  82: "ELIBMAX",
  83: "ELIBEXEC",
  85: "ERESTART",
  86: "ESTRPIPE",
  87: "EUSERS",
  96: "EPFNOSUPPORT",
  109: "ETOOMANYREFS",
  117: "EUCLEAN",
  118: "ENOTNAM",
  119: "ENAVAIL",
  120: "EISNAM",
  121: "EREMOTEIO",
  123: "ENOMEDIUM",
  124: "EMEDIUMTYPE",
  126: "ENOKEY",
  127: "EKEYEXPIRED",
  128: "EKEYREVOKED",
  129: "EKEYREJECTED",
  130: "EOWNERDEAD",
  131: "ENOTRECOVERABLE",
  132: "ERFKILL",
  133: "EHWPOISON"
}

/** The names of this system's errnos by number; for a number with several, Node's. */
const names: ReadonlyMap<number, string> = new Map([
  ...(process.platform === "linux" ? Object.entries(linux) : []).map(
    ([number, name]) => [Number(number), name] as const
  ),
  ...Object.entries(Os.constants.errno).map(([name, number]) => [number, name] as const),
  ...Array.from(getSystemErrorMap(), ([number, [name]]) => [-number, name] as const)
])

/** A `code` of Node that is a name, such as `ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC`; not `Unknown system error -122`. */
const NAME = /^[A-Z][A-Z0-9_/]*$/

/**
 * The name of an error. Node's own names are those of libuv, which does not know all errnos of a system; then the
 * number decides. An error that is not from a system call and has no `code` is `UNKNOWN`.
 *
 * @internal
 */
export const codeOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return "UNKNOWN"
  const { code, errno }: NodeJS.ErrnoException = cause
  if (typeof code === "string" && NAME.test(code) && code !== "UNKNOWN") return code
  const number = typeof errno === "number" ? Math.abs(errno) : Number.NaN
  return names.get(number) ?? (number > 0 ? `errno ${number}` : "UNKNOWN")
}
