// The JavaScript half of hostfn/browser: see script.go.
"use strict";

globalThis.realmGuest = (() => {
  // (module (memory i64 0))
  const memory64 = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 4, 0);

  // Names what this browser lacks of what guests run on.
  // https://github.com/WebAssembly/memory64
  // https://github.com/WebAssembly/js-promise-integration
  function missing() {
    const names = [];
    if (!WebAssembly.validate(memory64)) names.push("Memory64");
    if (!WebAssembly.Suspending || !WebAssembly.promising) names.push("JSPI");
    return names;
  }

  function compile(bytes) {
    return WebAssembly.compile(bytes);
  }

  // Calls f when the page has had its turn. Guests go on as soon as a promise is kept,
  // and what spins would keep the page's own events waiting for ever.
  const turns = [];
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => turns.shift()();
  function afterTurn(f) {
    turns.push(f);
    port2.postMessage(null);
  }

  // Makes an instance. functions are its imports, {module, name, wide}: the wide one
  // returns an i64, and gives fuel. A call of one suspends the guest: its number goes to call, its
  // arguments to the field args, 64 bits each, and resume or abort of the instance
  // ends it. pages bound the memory, which is imported as memory.name of memory.module.
  async function instantiate(module, functions, memory, call) {
    const args = new BigUint64Array(16);
    const count = memory.wide ? BigInt : Number;
    const instance = { args: new Uint8Array(args.buffer) };
    const imports = {};
    functions.forEach(({ module, name, wide }, number) => {
      imports[module] ??= {};
      imports[module][name] = new WebAssembly.Suspending((...values) => {
        values.forEach((value, i) => { args[i] = BigInt(value); });
        return new Promise((resolve, reject) => {
          instance.resume = wide ? (result) => afterTurn(() => resolve(BigInt(result))) : resolve;
          instance.abort = () => reject(new Error("the host has ended the guest"));
          call(number);
        });
      });
    });
    instance.memory = new WebAssembly.Memory({
      initial: count(memory.initial), maximum: count(memory.maximum), address: memory.wide ? "i64" : "i32",
    });
    imports[memory.module] = { [memory.name]: instance.memory };
    const { exports } = await WebAssembly.instantiate(module, imports);
    // Calls an export. ended gets its result, and the text of an error if it had none.
    instance.run = (name, ended) => {
      WebAssembly.promising(exports[name])().then((result) => ended(result ?? 0), (error) => ended(0, String(error)));
    };
    return instance;
  }

  return { missing, compile, instantiate };
})();
