/** What the examples use of WebAssembly, whose types otherwise come with the DOM's only. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { readonly initial: number })
    readonly buffer: ArrayBuffer
  }
  function instantiate(bytes: Uint8Array): Promise<{ readonly instance: { readonly exports: object } }>
}
