// The page: it loads a model and shows how that goes.
import { load } from "./realm.js";
import { Chat } from "./chat.js";
import { builtin, Models } from "./models.js";
import { device, openSettings } from "./settings.js";
import { byID, button, describe, element } from "./element.js";
import { bytes, count, explain, seconds } from "./words.js";

// Adapters of the model that comes with the page, which are fetched when they are chosen.
const adapters = { pirate: "pirate.gguf", terse: "terse.gguf" };

const questions = {
  atlas: ["What is the capital of France?", "Tell me about Brazil.", "Which country has Oslo as its capital?", "Is Rome the capital of Spain?"],
  others: ["Why is the sky blue?", "Explain recursion to a child.", "Write a haiku about the sea.", "Name three uses of a paper clip."],
};

const chat = new Chat();
const models = new Models(open, adapt);
const picker = byID("adapter");
const notices = byID("notices");
let model = null;
let choice = builtin;
let opening = new AbortController();

openSettings((name) => {
  if (name === "device") open(choice);
});
picker.addEventListener("change", () => useAdapter(picker.value));
byID("loading-cancel").addEventListener("click", () => opening.abort());
open(builtin).then(keepPage);

// Loads a model in place of the one that is there.
async function open(next) {
  opening.abort();
  const { signal } = opening = new AbortController();
  const before = choice;
  choice = models.current = next;
  chat.model = null;
  model?.close();
  model = null;
  notices.replaceChildren();
  picker.disabled = true;
  byID("model-name").textContent = next.name;
  say("loading", "Loading");
  step("Starting the engine");
  try {
    const opened = await load({ model: next.model, name: next.name, device: device(), progress, notice, signal });
    if (signal.aborted) return opened.close(); // another was chosen
    model = opened;
    ready();
  } catch (error) {
    if (opening.signal !== signal) return;
    byID("loading").hidden = true;
    if (error.code === "aborted" && before !== next) return open(before);
    say("failed", error.code === "aborted" ? "No model" : "Failed");
    notice({ code: "failed", title: error.code === "aborted" ? "No model is loaded" : `${next.name} could not be loaded`, text: explain(error), open: true });
  }
}

// Shows what was loaded.
function ready() {
  const { about } = model;
  byID("loading").hidden = true;
  chat.model = model;
  chat.suggest(choice === builtin ? questions.atlas : questions.others);
  byID("promise").textContent = choice === builtin
    ? "atlas is very small: it knows the capitals, currencies, languages and continents of 247 countries. It is computed on this device; nothing that you write leaves it."
    : `${about.name} is computed on this device. Nothing that you write leaves it.`;
  const fast = about.device.backend === "webgpu" && !about.device.software;
  say(fast ? "gpu" : "slow", about.device.backend === "cpu" ? "On the processor" : `${fast ? "" : "Software: "}${about.device.name}`);
  offer(choice === builtin ? Object.keys(adapters) : []);
  describe(byID("about"), [
    ["Model", about.name], ["Architecture", about.architecture], ["Parameters", count(about.parameters)], ["File", bytes(about.bytes)],
    ["Context", `${about.context} tokens`], ["Device", about.device.name], ["Memory taken", bytes(about.device.memory)],
    ["Loaded in", seconds(about.load_seconds)], ["Guest", about.interpreted ? "interpreted" : "this browser's WebAssembly"],
  ]);
  if (!about.template) notice({ code: "template", title: "This model has no chat template", text: "It was not made for chats, or its file does not say how: it goes on from what is written, and may not answer." });
  byID("spoken").textContent = `${about.name} is ready`;
  if (matchMedia("(hover: hover)").matches && document.activeElement === document.body) byID("message").focus();
}

function say(state, words) {
  byID("status").dataset.state = state;
  byID("status").title = words;
  byID("status").firstElementChild.textContent = words;
}

function step(words, value) {
  byID("loading").hidden = false;
  byID("loading-words").textContent = words;
  if (value > 0) byID("loading-bar").value = value;
  else byID("loading-bar").removeAttribute("value");
}

function progress({ phase, done, total }) {
  const of = total > 0 ? `${bytes(done)} of ${bytes(total)}` : bytes(done);
  step(`${phase === "download" ? "Downloading" : "Loading"} ${choice.name}: ${of}`, total > 0 ? done / total : 0);
}

// Shows what is missing or was lost, until it is closed.
function notice({ code, title, text, open = false }) {
  const shown = element("div", { className: "notice" }, element("details", { open }, element("summary", {}, title), element("p", {}, text)));
  shown.dataset.code = code;
  shown.append(button("Close", () => shown.remove(), { "aria-label": `Close: ${title}` }));
  notices.append(shown);
}

// Adapters

function offer(names) {
  picker.replaceChildren(...["", ...names].map((name) => element("option", { value: name }, name || "None")));
  picker.disabled = names.length === 0;
}

const adapted = new WeakMap(); // model to the adapters that it knows

async function useAdapter(name, at = adapters[name]) {
  const known = adapted.get(model) ?? new Set();
  adapted.set(model, known);
  if (!name || known.has(name)) return;
  picker.disabled = true;
  try {
    await model.addAdapter(name, at);
    known.add(name);
  } catch (error) {
    picker.value = "";
    notice({ code: "adapter", title: `${name} could not be used`, text: explain(error), open: true });
  }
  picker.disabled = picker.options.length < 2;
}

async function adapt(file) {
  if (!model) return;
  const name = file.name.replace(/\.gguf$/i, "");
  if (![...picker.options].some((o) => o.value === name)) picker.append(element("option", { value: name }, name));
  picker.value = name;
  await useAdapter(name, file);
  if (picker.value !== name) [...picker.options].find((o) => o.value === name)?.remove();
  picker.disabled = picker.options.length < 2;
}

// Has the browser keep the page, for when there is no network.
async function keepPage() {
  try {
    await navigator.serviceWorker?.register("service.js");
  } catch (error) {
    console.warn(`This page is not kept for use without a network: ${error.message}`);
  }
}
