// The playground: what is on the page, put together.

import { Chat } from "./chat.js";
import { ChatList } from "./chats.js";
import { Composer } from "./composer.js";
import { isOpen, shownAnswer } from "./conversation.js";
import { byID, describe } from "./element.js";
import { aboutSchema, schemaFault } from "./errors.js";
import { hideWelcome, showWelcome } from "./examples.js";
import { Figures } from "./figures.js";
import { History } from "./history.js";
import { Pickers } from "./models.js";
import { Panel } from "./panels.js";
import { ProgramDialog } from "./program.js";
import { SettingsForm } from "./settings.js";
import { SignIn } from "./signin.js";
import { Socket } from "./socket.js";
import { Transcript } from "./transcript.js";

// Addresses are relative: the page may lie below a path of a proxy.
const at = (/** @type {string} */ path) => new URL(path, document.baseURI);
const socketURL = at("ws");
socketURL.protocol = socketURL.protocol.replace("http", "ws");

/** Where the tab keeps which chat it shows. */
const current = "realm.chat";

const signIn = new SignIn(at("v1/ws/ticket"), () => socket.connect());
const socket = new Socket(socketURL, () => signIn.ticket());
const history = await History.open();
const chat = new Chat(socket, history);
const settings = new SettingsForm();
const pickers = new Pickers();
const figures = new Figures(socket);
const chatsPanel = new Panel("chats", true);
const settingsPanel = new Panel("settings", false);
const programs = new ProgramDialog(at("v1/"), () => signIn.signedIn);
const composer = new Composer(ask, () => chat.stop());
new Transcript(chat, {
  code: (answer) => programs.open(answer),
  again: (exchange, column) => ready() && chat.again(exchange, column, settings.values),
  edit: (exchange, question) => ready() && chat.edit(exchange, question, settings.values, pickers.adapters),
}).render();
const list = new ChatList(chat, history, () => {
  chatsPanel.leave();
  composer.focus();
});

/** Asks. @param {string} question @returns {boolean} whether it could be asked */
function ask(question) {
  if (!ready()) return false;
  chat.ask(question, settings.values, pickers.adapters);
  return true;
}

/** Whether the settings can be used; if not, the person is taken to what is wrong. */
function ready() {
  const wrong = settings.wrong();
  if (!wrong) return socket.state === "connected";
  settingsPanel.open();
  wrong.closest("details")?.setAttribute("open", "");
  wrong.focus();
  return false;
}

/** Shows what goes with the model that is chosen. */
function showModel() {
  settings.showDrafts(pickers.info?.draft ?? false);
  if (chat.conversation.exchanges.length === 0) showWelcome(pickers.model, ask);
  else hideWelcome();
}

/** Says how the connection is. */
function showState() {
  const status = byID("status");
  const seconds = Math.max(1, Math.ceil((socket.retryAt - performance.now()) / 1000));
  const words = {
    connecting: "Connecting",
    connected: "Connected",
    waiting: `No connection, trying again in ${seconds} s`,
    "signed-out": "Signed out",
    outdated: "Load the page again",
  }[socket.state];
  status.dataset.state = socket.state;
  status.title = socket.reason;
  const shown = /** @type {HTMLElement} */ (status.firstElementChild);
  if (shown.textContent !== words) shown.textContent = words;
  composer.connected = socket.state === "connected";
}

/** Tells what the person should know. @param {string} text "" for nothing */
function notice(text) {
  const box = byID("notice");
  box.hidden = text === "";
  box.textContent = text;
}

/** Asks the server which models there are. @param {import("./models.js").Model[]} models */
function takeModels(models) {
  const { model, adapter, beside } = settings.values;
  const gone = pickers.show(models, { model, adapter, beside });
  notice(models.length === 0 ? "This server has no model for you. Ask whoever runs it."
    : gone.length > 0 ? `The server has not got ${gone.join(" and ")} any more: what is usual was chosen instead.` : "");
  keepChoice();
}

function keepChoice() {
  const [adapter, beside = ""] = pickers.adapters;
  settings.set({ model: pickers.model, adapter, beside });
  showModel();
}

/** Shows what the server is. @param {any} about its metadata */
function showServer({ version, tenant_id: tenant, guests, device, limits }) {
  socket.frameLimit = limits.frame_bytes;
  settings.showGuests(guests);
  const facts = { Server: `Realm ${version}`, Device: device.software ? `${device.name}, in software` : device.name, Tenant: tenant };
  describe(byID("about"), Object.entries(facts).filter(([, value]) => value));
  byID("sign-out").hidden = !signIn.signedIn;
}

socket.addEventListener("state", () => {
  showState();
  if (socket.state === "signed-out") signIn.ask(socket.reason);
  if (socket.state === "outdated") notice(`Load the page again: ${socket.reason}.`);
});
socket.addEventListener("welcome", async (event) => {
  signIn.done();
  takeModels(/** @type {CustomEvent} */ (event).detail.models);
  showServer(await socket.call("metadata", {}));
});
setInterval(() => socket.state === "waiting" && showState(), 1000);
byID("sign-out").addEventListener("click", () => {
  settingsPanel.leave();
  signIn.forget();
  socket.signOut();
});
// Models and adapters come and go while the page is in the background.
document.addEventListener("visibilitychange", async () => {
  if (!document.hidden && socket.state === "connected") takeModels((await socket.call("models", {})).models);
});

pickers.addEventListener("change", keepChoice);
// A page that is loaded again has the chat that it had.
chat.addEventListener("list", () => sessionStorage.setItem(current, chat.conversation.id));
chat.addEventListener("change", () => {
  composer.busy = chat.busy;
  showModel();
  const answers = chat.conversation.exchanges.at(-1)?.columns.map(shownAnswer) ?? [];
  if (chat.busy && answers.some((a) => a.status === "waiting" && a.text === "")) figures.begin(answers.filter(isOpen));
});
chat.addEventListener("part", (event) => {
  const { answer, tokens } = /** @type {CustomEvent} */ (event).detail;
  figures.arrived(answer, tokens);
});
chat.addEventListener("answer", (event) => {
  const answer = /** @type {import("./conversation.js").Answer} */ (/** @type {CustomEvent} */ (event).detail);
  figures.changed(answer);
  if (isOpen(answer)) return;
  // Whoever cannot see the page hears the answer once, whole.
  byID("spoken").textContent = answer.text;
  if (answer.fault && answer.params.response_format && aboutSchema(answer.fault)) {
    settings.refuseSchema(schemaFault(answer.fault.message));
    settingsPanel.open();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && chat.busy) chat.stop();
});

const before = await history.get(sessionStorage.getItem(current) ?? "");
if (before) chat.open(before);
list.render();
showState();
showModel();
composer.focus();
socket.connect();
