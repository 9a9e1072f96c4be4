// What the page says where something is missing or was lost: what it is, what it costs,
// and what can be done.

// Titles of what the program tells of in words of its own.
export const titles = {
  context: "Shorter chats than the model could have",
  lost: "The GPU was lost",
};

// There is no WebGPU, or none that could be opened: reason is what was tried and failed.
export function processorNotice(reason) {
  const cost = "The model runs on one thread of the processor instead, many times slower than a GPU.";
  if (!globalThis.isSecureContext) {
    return {
      code: "no-webgpu", title: "No GPU: this page is not secure",
      text: `${cost} Browsers give WebGPU to pages of https and of localhost only: open this page by such an address.`,
    };
  }
  if (!navigator.gpu) {
    return {
      code: "no-webgpu", title: "No GPU: this browser has no WebGPU",
      text: `${cost} Chrome and Edge have WebGPU from version 113 on, Safari from 26, Firefox from 141 on Windows. On Linux, Chrome may want it turned on: chrome://flags/#enable-unsafe-webgpu.`,
    };
  }
  return {
    code: "no-adapter", title: "No GPU: WebGPU found none that it may use",
    text: `${cost} Turn on hardware acceleration in the browser's settings, bring the graphics driver up to date, and look at chrome://gpu. (${reason})`,
  };
}

// The adapter computes on the processor.
export function softwareNotice(name) {
  return {
    code: "software-adapter", title: "WebGPU is computed in software here",
    text: `There is no GPU behind it: its adapter (${name}) is a program that runs on the processor, many times slower. Turn on hardware acceleration in the browser's settings, or bring the graphics driver up to date.`,
  };
}

// Guests run in an interpreter.
export function interpreterNotice(missing) {
  return {
    code: "interpreter", title: `This browser lacks ${missing.join(" and ")}`,
    text: "The small program that makes the answers runs in an interpreter instead. It says the same; half a megabyte more is downloaded, and each token takes a little longer. Chrome and Edge have both from version 137 on.",
  };
}
