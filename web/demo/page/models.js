// The dialog of models: what is here, files, and downloads.
import { remove, stored } from "./realm.js";
import { byID, button, element } from "./element.js";
import { bytes, explain } from "./words.js";

const dialog = byID("models");

// The model that comes with the page.
export const builtin = { name: "atlas", note: "comes with this page" };

export class Models {
  #choose;
  #current = builtin;

  // choose is called with {name, model}: model as load takes it, none for the one that
  // comes with the page. adapt is called with the file of an adapter.
  constructor(choose, adapt) {
    this.#choose = (choice) => {
      dialog.close();
      choose(choice);
    };
    byID("open-models").addEventListener("click", () => this.open());
    dialog.querySelector(".close").addEventListener("click", () => dialog.close());
    byID("model-file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) this.#choose({ name: file.name.replace(/\.gguf$/i, ""), model: file });
    });
    byID("adapter-file").addEventListener("change", (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (!file) return;
      dialog.close();
      adapt(file);
    });
    byID("url-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const url = fileOf(byID("url").value);
      this.#choose({ name: nameOf(url), model: url });
    });
  }

  set current(choice) {
    this.#current = choice;
  }

  async open() {
    byID("models-fault").textContent = "";
    dialog.showModal();
    await this.#list();
  }

  async #list() {
    const rows = [this.#row(builtin, builtin.note)];
    try {
      for (const m of await stored()) {
        const choice = { name: nameOf(m.url), model: m.url };
        rows.push(this.#row(choice, bytes(m.bytes), button("Delete", () => this.#remove(m), { "aria-label": `Delete ${m.name}` })));
      }
      const { quota, usage } = await navigator.storage.estimate();
      byID("room").textContent = rows.length > 1 ? `${bytes(usage)} are kept here. There is room for ${bytes(Math.max(0, quota - usage))} more.` : "";
    } catch (error) {
      byID("models-fault").textContent = error.message;
    }
    byID("model-list").replaceChildren(...rows);
  }

  #row(choice, note, ...more) {
    const use = element("button", { type: "button", className: "use", onclick: () => this.#choose(choice) }, element("span", {}, choice.name), element("span", {}, note));
    if (choice.model === this.#current.model) use.setAttribute("aria-current", "true");
    return element("li", {}, use, ...more);
  }

  async #remove({ url }) {
    try {
      await remove(url);
    } catch (error) {
      byID("models-fault").textContent = error.name === "NoModificationAllowedError" ? "It is in use, in another tab." : explain(error);
    }
    await this.#list();
    byID("model-list").querySelector("button").focus();
  }
}

// What Hugging Face shows of a file stands at another address than the file.
function fileOf(url) {
  return url.trim().replace(/^(https:\/\/huggingface\.co\/[^/]+\/[^/]+)\/blob\//, "$1/resolve/");
}

function nameOf(url) {
  return decodeURIComponent(new URL(url).pathname.split("/").pop()).replace(/\.gguf$/i, "");
}
