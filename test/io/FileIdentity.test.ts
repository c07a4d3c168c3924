import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FileIdentity from "../../src/io/FileIdentity.ts"
import { onEveryPlace } from "./support/places.ts"

describe("FileIdentity", () => {
  onEveryPlace("a file is the same by whatever name, and no other", (place) =>
    Effect.gen(function* () {
      place.write("a", Uint8Array.of(1))
      place.write("b", Uint8Array.of(1))
      place.link("link", "a")
      const [a, b, link] = yield* Effect.forEach(["a", "b", "link"], (name) => FileIdentity.ofPath(place.path(name)))
      assert.isTrue(FileIdentity.equals(a!, link!))
      assert.isFalse(FileIdentity.equals(a!, b!))
      for (const missing of ["c", "a/b", "none/x"]) {
        assert.isUndefined(yield* FileIdentity.ofPath(place.path(missing)))
      }
    })
  )
})
