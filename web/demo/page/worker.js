// The worker that Realm's engine runs in: the Go program, and what it cannot do itself.
// realm.js starts it and calls its functions.
import "./wasm_exec.js"; // Go's: globalThis.Go
import "./shim.js"; // of the WebGPU device: globalThis.realmWebGPU
import "./guest.js"; // of guests: globalThis.realmGuest
import { download, fetched } from "./store.js";
import { interpreterNotice, processorNotice, softwareNotice, titles } from "./notices.js";

const here = (name) => new URL(name, import.meta.url).href;
const send = (message) => postMessage(message);
const running = new Map(); // AbortControllers of calls, by their ids
let before = Promise.resolve(); // the call before: the program takes one at a time

onmessage = ({ data: { id, call, ...args } }) => {
  if (call === "abort") return running.get(id)?.abort();
  const controller = new AbortController();
  running.set(id, controller);
  before = before.then(async () => {
    try {
      controller.signal.throwIfAborted();
      tell = (kind, value) => send({ id, kind, [kind]: value });
      send({ id, kind: "result", result: await calls[call](args, controller.signal) });
    } catch (error) {
      send({ id, kind: "error", error: { code: codeOf(error), message: error.message } });
    }
    running.delete(id);
  });
};

// Tells the call that runs: a device may be lost in the midst of an answer.
let tell;

const calls = {
  async load({ model, name, store = true, device = "auto", context = 0, adapters = {} }, signal) {
    const progress = (phase) => (done, total) => tell("progress", { phase, done, total });
    const file = source(model, store, progress("download"), signal);
    file.catch(() => {}); // it is told of where it is waited for
    const program = await start();
    const missing = realmGuest.missing();
    if (missing.length > 0) tell("notice", interpreterNotice(missing));
    const blob = await file;
    const options = { name: name ?? nameOf(model), device, context };
    const notice = (code, text) => tell("notice", code === "cpu" ? processorNotice(text) : { code, text, title: titles[code] });
    const about = JSON.parse(await program.open(blob, JSON.stringify(options), progress("load"), notice, signal));
    if (about.device.backend === "webgpu" && about.device.software) tell("notice", softwareNotice(about.device.name));
    for (const [name, at] of Object.entries(adapters)) await program.adapter(name, await fetched(at, signal), signal);
    return about;
  },

  async adapter({ name, at }, signal) {
    await (await start()).adapter(name, await fetched(at, signal), signal);
  },

  async generate({ request }, signal) {
    const text = await (await start()).generate(JSON.stringify(request), (text) => tell("text", text), signal);
    return JSON.parse(text);
  },
};

// Where a model's bytes are: a Blob.
function source(model, store, progress, signal) {
  if (model instanceof Blob) return Promise.resolve(model);
  if (!model) return fetched(here("atlas.gguf"), signal, progress);
  return store ? download(model, { progress, signal }) : fetched(model, signal, progress);
}

function nameOf(model) {
  if (!model) return "atlas";
  const name = model instanceof Blob ? model.name ?? "model" : decodeURIComponent(new URL(model).pathname.split("/").pop());
  return name.replace(/\.gguf$/i, "");
}

function codeOf(error) {
  if (error.code && typeof error.code === "string") return error.code;
  return { AbortError: "aborted", QuotaExceededError: "quota" }[error.name] ?? "failed";
}

// Starts the Go program, once.
let starting;
function start() {
  return starting ??= startProgram();
}

async function startProgram() {
  // The browser begins to look for a GPU when it is first asked, and takes a while.
  navigator.gpu?.requestAdapter().catch(() => {});
  const go = new Go();
  const file = realmGuest.missing().length > 0 ? "realm-interpreter.wasm" : "realm.wasm";
  const response = await fetch(here(file));
  if (!response.ok) throw new Error(`${file}: the server answered ${response.status}`);
  const { instance } = await WebAssembly.instantiateStreaming(response, go.importObject);
  const started = new Promise((resolve) => { globalThis.realmStarted = resolve; });
  const stopped = (why) => send({ kind: "stopped", error: { code: "stopped", message: why } });
  go.run(instance).then(
    () => stopped("The engine has stopped. It may have run out of memory: load the model again, or a smaller one."),
    (error) => stopped(`The engine has stopped: ${error.message}`),
  );
  await started;
  return globalThis.realmProgram;
}
