// Runs a Go program.
"use strict";

importScripts("wasm_exec.js", "shim.js", "before.js");

// Go's wasm_exec.js writes stdout and stderr line by line with console.log.
console.log = (line) => postMessage({ line });

(async () => {
  const go = new Go();
  go.argv = await (await fetch("args.json")).json();
  go.exit = (exit) => postMessage({ exit });
  const { instance } = await WebAssembly.instantiateStreaming(fetch("program.wasm"), go.importObject);
  await go.run(instance);
})().catch((error) => {
  postMessage({ line: String(error) });
  postMessage({ exit: 2 });
});
