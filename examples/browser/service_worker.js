/** Keeps what the page has loaded, so that it works offline; the build puts a hash and the names of its files in place of words. */
const cacheName = "VERSION", names = "NAMES".split(" ");

addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(cacheName).then((cache) => cache.addAll(names)).then(() => self.skipWaiting()),
  );
});

addEventListener("activate", (event) => {
  const removed = caches.keys().then((names) =>
    Promise.all(names.filter((name) => name !== cacheName).map((name) => caches.delete(name)))
  );
  event.waitUntil(removed.then(() => self.clients.claim()));
});

/** The kept answer; else the server's, which is kept. */
async function answer(request) {
  const cache = await caches.open(cacheName);
  const kept = await cache.match(request, { ignoreSearch: true });
  if (kept) return kept;
  const response = await fetch(request);
  // A disk without room for it keeps nothing.
  if (response.ok) await cache.put(request, response.clone()).catch(() => {});
  return response;
}

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && new URL(url).origin === location.origin) {
    event.respondWith(answer(event.request));
  }
});
