// Models that stay in this browser: files of the origin private file system
// (https://fs.spec.whatwg.org/), each named by the URL that it came from. Workers write
// them, with handles that write at once.

const directory = "realm-models";
const part = ".part"; // a download that is not complete
const tag = ".etag"; // what the server calls the content of a part

async function folder() {
  if (!navigator.storage?.getDirectory) throw fault("failed", "This browser keeps no files for pages, or not in this window: models cannot be stored.");
  return (await navigator.storage.getDirectory()).getDirectoryHandle(directory, { create: true });
}

const fileName = (url) => encodeURIComponent(url);

function fault(code, message) {
  return Object.assign(new Error(message), { code });
}

// Lists the models that are here: {url, name, bytes}, by name.
export async function stored() {
  const models = [];
  for await (const [name, handle] of (await folder()).entries()) {
    if (name.endsWith(part) || name.endsWith(tag)) continue;
    const url = decodeURIComponent(name);
    models.push({ url, name: decodeURIComponent(new URL(url).pathname.split("/").pop()), bytes: (await handle.getFile()).size });
  }
  return models.sort((a, b) => a.name.localeCompare(b.name));
}

// Deletes a model, and what is there of a download that was broken off.
export async function remove(url) {
  const models = await folder();
  for (const name of [fileName(url), fileName(url) + part, fileName(url) + tag]) {
    await models.removeEntry(name).catch((error) => {
      if (error.name !== "NotFoundError") throw error;
    });
  }
}

async function find(models, name) {
  try {
    return await (await models.getFileHandle(name)).getFile();
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw error;
  }
}

// Fetches a URL: a Blob, which the browser keeps where it likes.
export async function fetched(at, signal, progress) {
  if (at instanceof Blob) return at;
  const response = await request(at, { signal });
  if (!progress) return response.blob();
  const total = lengthOf(response);
  let done = 0;
  const count = new TransformStream({
    transform(chunk, controller) {
      progress(done += chunk.length, total);
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(count)).blob();
}

// Returns the model of a URL as a File, downloaded if it is not here. What is there of
// a download that was broken off is not downloaded again.
export async function download(url, { progress, signal }) {
  const models = await folder();
  const there = await find(models, fileName(url));
  if (there) return there;
  const handle = await models.getFileHandle(fileName(url) + part, { create: true });
  let access;
  try {
    access = await handle.createSyncAccessHandle();
  } catch (error) {
    if (error.name !== "NoModificationAllowedError") throw error;
    throw fault("failed", "This model is being downloaded already, in another tab.");
  }
  try {
    await receive(models, url, access, progress, signal);
    access.flush();
  } catch (error) {
    if (error.name === "QuotaExceededError") throw await quotaFault(access.getSize());
    throw error;
  } finally {
    const nothing = access.getSize() === 0;
    access.close();
    if (nothing) await remove(url);
  }
  await handle.move(fileName(url));
  await models.removeEntry(fileName(url) + tag).catch(() => {});
  return (await models.getFileHandle(fileName(url))).getFile();
}

// Writes what a URL has to a file.
async function receive(models, url, access, progress, signal) {
  let done = access.getSize();
  const known = await find(models, fileName(url) + tag);
  const before = known ? await known.text() : "";
  let response = await request(url, { signal, headers: done > 0 && before ? { Range: `bytes=${done}-` } : {} });
  if (response.status === 206 && (response.headers.get("ETag") !== before || !response.headers.get("Content-Range")?.startsWith(`bytes ${done}-`))) {
    response = await request(url, { signal }); // it is another file now
  }
  if (response.status !== 206) {
    access.truncate(done = 0);
    await note(models, fileName(url) + tag, response.headers.get("ETag") ?? "");
  }
  const total = done + lengthOf(response);
  await checkRoom(total - done);
  for await (const chunk of chunksOf(response.body)) {
    signal.throwIfAborted();
    if (done === 0) checkMagic(chunk);
    access.write(chunk, { at: done });
    progress(done += chunk.length, Math.max(total, done));
  }
  if (total > 0 && done < total) throw fault("network", `The connection broke after ${mib(done)} of ${mib(total)} MiB. What there is stays: get the model again to go on.`);
}

async function request(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw fault("network", `${url} could not be reached. Either this browser is offline, or that server does not let pages of other sites read it (CORS). (${error.message})`);
  }
  if (!response.ok) throw fault("network", `${url}: the server answered ${response.status} ${response.statusText}`);
  return response;
}

// The bytes that will come, 0 where that is not known: of a compressed answer the header
// has another number.
function lengthOf(response) {
  return response.headers.get("Content-Encoding") ? 0 : Number(response.headers.get("Content-Length") ?? 0);
}

async function* chunksOf(body) {
  const reader = body.getReader();
  try {
    for (;;) {
      let next;
      try {
        next = await reader.read();
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw fault("network", `The connection broke (${error.message}). What there is stays: get the model again to go on.`);
      }
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function checkMagic(chunk) {
  const magic = String.fromCharCode(...chunk.subarray(0, 4));
  if (chunk.length >= 4 && magic !== "GGUF") throw fault("format", `There is no GGUF file at this address: it begins with ${JSON.stringify(magic)}.`);
}

// Fails early where a download would not fit.
async function checkRoom(bytes) {
  const { quota, usage } = await navigator.storage.estimate();
  if (bytes > quota - usage) throw await quotaFault(bytes);
}

async function quotaFault(bytes) {
  const { quota, usage } = await navigator.storage.estimate();
  return fault("quota", `There is no room for this model: it takes ${mib(bytes)} MiB, and the browser gives this page ${mib(Math.max(0, quota - usage))} MiB more. Delete a stored model, or open the file from your disk: that takes no room.`);
}

const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);

// Writes a small file.
async function note(models, name, text) {
  const access = await (await models.getFileHandle(name, { create: true })).createSyncAccessHandle();
  try {
    access.truncate(0);
    access.write(new TextEncoder().encode(text));
  } finally {
    access.close();
  }
}
