/**
 * The names of the objects of a snapshot store. A directory and a bucket have the same names.
 *
 * ```text
 *   config                               the repository; config.2, config.3, … where it was written anew
 *   key/<id>                             a wrapped key of the repository
 *   vm/<vm>/<snapshot>/<generation>      a record of a snapshot's chain
 *   map/<snapshot>/<writer>-<n>          which pages lie where, and the device state
 *   pack/<snapshot>/<writer>-<n>         pages
 *   order/<snapshot>/<writer>-<n>        the order in which a resume asked for pages
 * ```
 *
 * Generations and `n` are decimal numbers without leading zeros, below 2^32. Everything else is an id (see `StoreId`).
 *
 * @since 0.1.0
 */
import * as StoreId from "./StoreId.ts"

/**
 * The parts of an object's name.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type ObjectName =
  | { readonly kind: "config"; readonly number: number }
  | { readonly kind: "key"; readonly id: string }
  | { readonly kind: "record"; readonly vm: string; readonly snapshot: string; readonly generation: number }
  | { readonly kind: DataKind; readonly snapshot: string; readonly writer: string; readonly number: number }

/**
 * The kinds of objects that a writer names by its own id.
 *
 * @stability unstable
 * @category models
 * @since 0.1.0
 */
export type DataKind = "map" | "pack" | "order"

/**
 * The name of an object.
 *
 * @stability unstable
 * @category encoding
 * @since 0.1.0
 */
export const format = (name: ObjectName): string => {
  switch (name.kind) {
    case "config":
      return name.number === 1 ? "config" : `config.${name.number}`
    case "key":
      return `key/${name.id}`
    case "record":
      return `vm/${name.vm}/${name.snapshot}/${name.generation}`
    default:
      return `${name.kind}/${name.snapshot}/${name.writer}-${name.number}`
  }
}

const NUMBER = "(0|[1-9][0-9]{0,9})"
const ID = "([0-9a-z]{26})"
const CONFIG = /^config(?:\.([1-9][0-9]{0,9}))?$/
const KEY = new RegExp(`^key/${ID}$`)
const RECORD = new RegExp(`^vm/${ID}/${ID}/${NUMBER}$`)
const DATA = new RegExp(`^(map|pack|order)/${ID}/${ID}-${NUMBER}$`)

const isSound = (ids: ReadonlyArray<string>, number: number): boolean =>
  ids.every((id) => StoreId.pattern.test(id)) && number < 2 ** 32

/**
 * The parts of a name; `undefined` for a name that no object of a store has.
 *
 * @stability unstable
 * @category decoding
 * @since 0.1.0
 */
export const parse = (text: string): ObjectName | undefined => {
  const config = CONFIG.exec(text)
  if (config !== null) {
    const number = config[1] === undefined ? 1 : Number(config[1])
    return (config[1] === undefined || number > 1) && isSound([], number) ? { kind: "config", number } : undefined
  }
  const [, key] = KEY.exec(text) ?? []
  if (key !== undefined) return isSound([key], 0) ? { kind: "key", id: key } : undefined
  const [, vm, chain, generation] = RECORD.exec(text) ?? []
  if (vm !== undefined && chain !== undefined) {
    const record = { kind: "record", vm, snapshot: chain, generation: Number(generation) } as const
    return isSound([vm, chain], record.generation) ? record : undefined
  }
  const [, kind, snapshot, writer, number] = DATA.exec(text) ?? []
  if (snapshot === undefined || writer === undefined || !isSound([snapshot, writer], Number(number))) return undefined
  return { kind: kind as DataKind, snapshot, writer, number: Number(number) }
}
