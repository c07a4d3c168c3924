import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { ImageNotes } from "../../format/seal/ImageNotes.ts"
import type { FileError } from "../../io/files/FileError.ts"
import * as FilePages from "../../io/files/FilePages.ts"
import * as Image from "../../image/Image.ts"
import { Migration } from "../../migration/Migration.ts"
import type * as RamBlock from "../../ram/RamBlock.ts"
import type { BlockArgument } from "./blockArgument.ts"
import { define } from "./define.ts"
import { type Audience, follow } from "./follow.ts"
import { OutcomeJson, toJson } from "./outcome.ts"
import { checkApart } from "./apart.ts"
import * as Parameters from "./parameters.ts"
import * as SealParameters from "./sealParameters.ts"

type Source = RamBlock.Readable<FileError>

/** A block that replaces one of the image has its length and page size, unless the command line gives others. */
const openBlock = (
  { idstr, length, offset, path }: BlockArgument,
  replaced: RamBlock.Shape | undefined
): Effect.Effect<Source, FileError | RamBlock.RamBlockError, Scope.Scope> =>
  FilePages.make({
    idstr,
    path,
    offset,
    length: length ?? replaced?.usedLength,
    pageSize: replaced?.pageSize,
    access: "read"
  })

/** A machine loads only the blocks that it has, each with its own length. */
const doubtsAbout = (block: Source, image: Image.Image): ReadonlyArray<string> => {
  const replaced = image.blocks.find(({ idstr }) => idstr === block.idstr)
  if (replaced === undefined) return [`${image.path} has no block "${block.idstr}": its machine will not load it`]
  return replaced.usedLength === block.usedLength
    ? []
    : [`block "${block.idstr}" is ${block.usedLength} bytes long, in ${image.path} it is ${replaced.usedLength}`]
}

/** The blocks of the image that no `--block` names. Shared memory that the image lacks cannot be taken from it. */
const othersOf = (image: Image.Image, blocks: ReadonlyArray<Source>) => {
  const given = new Set(blocks.map(({ idstr }) => idstr))
  const others = image.blocks.filter(({ idstr }) => !given.has(idstr))
  return {
    taken: others.filter(({ ignored }) => !ignored),
    doubts: others
      .filter(({ ignored }) => ignored)
      .map(({ idstr }) => `${image.path} was saved without the pages of "${idstr}": the block is left out`)
  }
}

/** The machine's identity is kept; lost pages of a block count only if the block is taken from the image. */
const notesOf = ({ notes }: Image.Image, taken: ReadonlyArray<RamBlock.Shape>): ImageNotes => {
  const { lost = [], ...others } = notes
  const left = lost.filter((one) => taken.some(({ idstr }) => idstr === one.idstr))
  return left.length === 0 ? others : { ...others, lost: left }
}

/**
 * `multifd save --block ID=PATH [--block …] [--device-state IMAGE] OUT`
 *
 * @internal
 */
export const saveCommand = define({
  name: "save",
  group: "Images",
  description: "Save RAM blocks from files into a mapped-ram image",
  examples: [
    { command: "multifd save --block pc.ram=/dev/shm/guest-ram vm.img", description: "Save the RAM of a sandbox" },
    {
      command: "multifd save --block pc.ram=ram.bin --device-state vm.img patched.img",
      description: "Replace the RAM of a saved machine"
    }
  ],
  parameters: {
    blocks: Parameters.blocks("A RAM block and the file or device that holds it; may be repeated"),
    deviceState: Parameters.deviceState,
    target: Parameters.image("OUT", "The image to write"),
    ...SealParameters.sealing,
    keepPartial: SealParameters.keepPartial,
    ...Parameters.transfer
  },
  result: OutcomeJson,
  toJson,
  run: Effect.fnUntraced(function* (options) {
    const migration = yield* Migration
    const { channels, directIo, target } = options
    const save = Effect.fnUntraced(function* ({ progress, warn }: Audience) {
      const image = Option.isSome(options.deviceState) ? yield* Image.open(options.deviceState.value) : undefined
      const blocks = yield* Effect.forEach(options.blocks, (block) =>
        openBlock(
          block,
          image?.blocks.find(({ idstr }) => idstr === block.idstr)
        )
      )
      const seal = yield* SealParameters.readSeal(options)
      yield* checkApart("save", [target.path], options)
      const transfer = { target, channels, directIo, seal, keepPartial: options.keepPartial, progress }
      if (image === undefined) return yield* migration.save({ ...transfer, blocks })
      const { doubts, taken } = othersOf(image, blocks)
      yield* Effect.forEach([...doubts, ...blocks.flatMap((block) => doubtsAbout(block, image))], warn)
      const notes = notesOf(image, taken)
      const { machineState } = image
      return yield* migration.save({ ...transfer, blocks: [...taken, ...blocks], machineState, notes })
    }, Effect.scoped)
    return yield* follow(options, { image: target, isWritten: true, keepPartial: options.keepPartial }, save)
  })
})
