// Numbers and errors in words.

const units = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];

// A number of bytes, as people read it.
export function bytes(n) {
  const [size, unit] = units.find(([size]) => n >= size) ?? [1, "bytes"];
  return `${size === 1 ? n : (n / size).toPrecision(3)} ${unit}`;
}

// A large number, as people read it.
export const count = (n) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(n);

// A length of time.
export const seconds = (s) => s < 1 ? `${Math.round(1000 * s)} ms` : `${s.toFixed(2)} s`;

const advice = {
  adapter: "This adapter does not go with the model. An adapter belongs to the model that it was trained for.",
  context: "The chat is longer than the model can read. Begin a new one.",
  device: "Choose another device in the settings.",
  format: "This is not a model that Realm runs. It runs GGUF files of the architectures that its README lists.",
  limit: "The answer took more than one may take.",
  lost: "The GPU is lost, and could not be opened again. Load this page again.",
  memory: "The model takes more memory than there is. Choose a smaller one, or one of fewer bits a weight, such as Q4_K_M.",
  network: "It could not be downloaded.",
  quota: "There is no room for it.",
  stopped: "The engine has stopped.",
};

// What went wrong, and what to do: a line or two.
export function explain({ code, message }) {
  return advice[code] ? `${advice[code]}\n${message}` : message;
}

// Why an answer ended, where that is worth a word.
export const reasons = {
  length: "as long as it may be",
  context: "the chat is as long as the model can read",
};
