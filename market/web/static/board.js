/* Draws the part of a page that the day changes anew whenever the server says so. */
(function () {
  "use strict";
  var part = document.querySelector("[data-stream]");
  if (!part || !window.EventSource) return;
  var line = null;
  function draw() {
    fetch(location.href, { headers: { "hx-request": "true" }, redirect: "manual" }).then(function (answer) {
      if (answer.type === "opaqueredirect") { location.reload(); return null; }
      return answer.ok ? answer.text() : null;
    }).then(function (html) {
      if (html !== null) part.innerHTML = html;
      part.dataset.live = "yes";
    }).catch(function () { part.dataset.live = "no"; });
  }
  function open() {
    line = new EventSource(part.dataset.stream);
    line.addEventListener("changed", draw);
    /* what was said while the line was cut is not known */
    line.addEventListener("open", draw);
    line.addEventListener("error", function () { part.dataset.live = "no"; });
  }
  window.addEventListener("pagehide", function () { line.close(); });
  window.addEventListener("pageshow", function (event) { if (event.persisted) open(); });
  open();
})();
