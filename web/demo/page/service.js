// The service worker: the page and the engine from the cache where there is no network.
// What the server has is taken first, so that the page is never older than it need be.
// Models that were downloaded are not its business: store.js has them.

importScripts("guest.js"); // says which of the two programs this browser runs

const cacheName = "realm-page";
const other = realmGuest.missing().length > 0 ? "realm.wasm" : "realm-interpreter.wasm";

oninstall = (event) => event.waitUntil((async () => {
  const list = await (await fetch("files.json", { cache: "no-cache" })).json();
  const files = ["./", ...list.filter((name) => name !== other)];
  const cache = await caches.open(cacheName);
  await cache.addAll(files.map((name) => new Request(name, { cache: "no-cache" })));
  await skipWaiting();
})());

onactivate = (event) => event.waitUntil(clients.claim());

onfetch = (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || request.headers.has("Range") || !url.href.startsWith(registration.scope)) return;
  event.respondWith(answer(request));
};

async function answer(request) {
  const cache = await caches.open(cacheName);
  try {
    const response = await fetch(request);
    // What comes with a newer page is kept too; models that a page of someone's has here
    // are not.
    if (response.ok && (!request.url.endsWith(".gguf") || await cache.match(request))) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw error;
  }
}
