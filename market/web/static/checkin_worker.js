/* Keeps the door's page on the phone, so that people can be checked in with the network gone.
   Pages come from the network where it answers in time, else as they were last seen; files under
   /assets/ never change under their address. Nothing else is touched, and no post. */
"use strict";
var STORE = "door-1";
/* Milliseconds after which a page that we have is better than one that may come. */
var PATIENCE = 4000;
var DOOR = /^\/town\/meetings\/\d+\/checkin$/;

self.addEventListener("install", function () { self.skipWaiting(); });
self.addEventListener("activate", function (event) { event.waitUntil(self.clients.claim()); });

function kept(url) {
  return caches.open(STORE).then(function (store) {
    if (DOOR.test(url.pathname)) return store.match(url.pathname);
    /* a badge's address: the door's page that was seen last knows what to do with the code */
    return store.keys().then(function (keys) {
      var doors = keys.filter(function (key) { return DOOR.test(new URL(key.url).pathname); });
      return doors.length ? store.match(doors[doors.length - 1]) : undefined;
    });
  });
}

function page(request) {
  var url = new URL(request.url);
  var fresh = fetch(request).then(function (answer) {
    if (answer.ok && !answer.redirected && DOOR.test(url.pathname) && !url.search) {
      var copy = answer.clone();
      caches.open(STORE).then(function (store) {
        return store.delete(url.pathname).then(function () { return store.put(url.pathname, copy); });
      });
    }
    return answer;
  });
  return kept(url).then(function (old) {
    if (!old) return fresh;
    var late = new Promise(function (give) { setTimeout(give, PATIENCE, old); });
    return Promise.race([fresh.catch(function () { return old; }), late]);
  });
}

function file(request) {
  return caches.match(request).then(function (found) {
    return found || fetch(request).then(function (answer) {
      if (answer.ok) {
        var copy = answer.clone();
        caches.open(STORE).then(function (store) { store.put(request, copy); });
      }
      return answer;
    });
  });
}

self.addEventListener("fetch", function (event) {
  var request = event.request;
  var url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && (DOOR.test(url.pathname) || url.pathname.indexOf("/checkin/") === 0)) {
    event.respondWith(page(request));
  } else if (url.pathname.indexOf("/assets/") === 0) {
    event.respondWith(file(request));
  }
});
