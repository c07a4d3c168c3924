/**
 * The six lines of the README that capture and resume a machine, pasted into a shell as they are.
 */
import { assert, expect, it, onTestFinished } from "@effect/vitest"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { read } from "../support/project/markdown.ts"
import { root, run } from "../support/project/run.ts"
import * as Temporary from "../support/project/temporary.ts"
import { describeQemus } from "../support/qemu/suite.ts"

/** The lines of the first block after a heading. */
const blockAfter = (text: string, heading: string): ReadonlyArray<string> => {
  const block = /```sh\n([^]*?)\n```/.exec(text.slice(text.indexOf(`\n## ${heading}\n`)))?.[1] ?? ""
  return block.split("\n")
}

const lines = blockAfter(read("README.md"), "Capture and resume a running machine")

/** A folder with programs that stand in for `npx` and for QEMU, which notes its pids there and ends with the test. */
const makeShell = async (binary: string): Promise<string> => {
  const folder = await Temporary.make()
  onTestFinished(() => Temporary.remove(folder))
  onTestFinished(() => {
    for (const name of Fs.readdirSync(folder).filter((file) => file.endsWith(".pid")))
      try {
        process.kill(Number(Fs.readFileSync(Path.join(folder, name), "utf8")))
      } catch {
        // It has ended.
      }
  })
  // By its path: a bare name would be the stand-in itself.
  const qemu = (await run(root, "sh", "-c", 'command -v "$1"', "sh", binary)).trim()
  const programs = {
    npx: `shift; exec '${process.execPath}' '${Path.join(root, "src/bin.ts")}' "$@"`,
    "qemu-system-x86_64": `exec '${qemu}' "$@" -pidfile '${folder}'/$$.pid`
  }
  for (const [name, program] of Object.entries(programs))
    Fs.writeFileSync(Path.join(folder, name), `#!/bin/sh\n${program}\n`, { mode: 0o755 })
  return folder
}

describeQemus("the lines of the README", ["5.2", "7.2", "10.0", "11.1"], (qemu) => {
  it("are six, and none is wider than the page", () => {
    assert.strictEqual(lines.length, 6)
    assert.strictEqual(lines[0], "npm ci")
  })

  it("capture a running machine and resume it", { timeout: 120_000 }, async () => {
    const folder = await makeShell(qemu.binary)
    const pasted = lines.slice(1).join("\n").replaceAll("/tmp/vm.", `${folder}/vm.`)
    const script = `set -e\nPATH='${folder}':"$PATH"\n${pasted}\n`
    expect(await run(folder, "sh", "-c", script)).toContain("OK: every page matches its checksum")
    const status = `
      import json, socket, sys
      monitor = socket.socket(socket.AF_UNIX)
      monitor.connect(sys.argv[1])
      lines = monitor.makefile("rw")
      lines.readline()
      for command in "qmp_capabilities", "query-status":
          print(json.dumps({"execute": command}), file=lines, flush=True)
          answer = lines.readline()
      print(answer)`
    const program = status.replaceAll(/^ {6}/gm, "")
    expect(await run(folder, "python3", "-c", program, Path.join(folder, "vm.qmp"))).toContain('"status": "running"')
  })
})
