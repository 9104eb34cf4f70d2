/* The door's page on a phone: reads badges, keeps each reading until the server has said that it has it,
   and goes on without a network. The forms of the page do the same work without this script. */
(function () {
  "use strict";
  var door = document.getElementById("door");
  if (!door) return;
  var words = door.dataset;
  var prefix = "door:" + words.meeting + ":";
  var said = document.getElementById("door-said");
  var line = document.getElementById("door-queue");
  var strange = document.getElementById("door-strange");
  var list = document.getElementById("door-list");
  var form = document.getElementById("door-search");
  var field = form.elements.q;
  var counter = document.getElementById("door-count");
  /* how many have come, of everybody: of a list that was searched only some are on the page */
  var here = Number(words.here), all = Number(words.all);
  var isSending = false, again = 0;
  /* what the server has taken since the page was opened, and how many lists were asked for, and shown */
  var taken = [], calls = 0, drawn = 0;
  var memory = {};

  function text(template, values) {
    return template.replace(/\{(\w+)\}/g, function (_, name) { return values[name]; });
  }
  function clock(moment) {
    return ("0" + moment.getHours()).slice(-2) + ":" + ("0" + moment.getMinutes()).slice(-2);
  }
  function newKey() {
    var bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.prototype.map.call(bytes, function (each) { return ("0" + each.toString(16)).slice(-2); }).join("");
  }

  /* one entry for each reading: two windows of one phone never write over each other */
  function keep(scan) {
    try { localStorage.setItem(prefix + scan.key, JSON.stringify(scan)); } catch (full) { memory[scan.key] = scan; }
  }
  function drop(key) {
    delete memory[key];
    try { localStorage.removeItem(prefix + key); } catch (closed) { /* it was in memory */ }
  }
  function waiting() {
    var found = Object.keys(memory).map(function (key) { return memory[key]; });
    try {
      for (var n = 0; n < localStorage.length; n++) {
        var name = localStorage.key(n);
        if (name.indexOf(prefix) === 0) found.push(JSON.parse(localStorage.getItem(name)));
      }
    } catch (closed) { /* only what is in memory */ }
    return found.sort(function (a, b) { return a.at < b.at ? -1 : 1; });
  }

  function rows() { return Array.prototype.slice.call(list.querySelectorAll("[data-code]")); }
  function rowOf(code) {
    return rows().filter(function (row) { return row.dataset.code === code; })[0];
  }
  function plainCode(typed) {
    return typed.trim().replace(/\/+$/, "").split("/").pop().toUpperCase();
  }

  /* what is seen */
  function say(tone, title, more, first) {
    said.className = "door-said " + tone;
    said.textContent = "";
    var head = said.appendChild(document.createElement("strong"));
    head.textContent = title;
    [more, first].forEach(function (words) {
      if (words) said.appendChild(document.createElement("p")).textContent = words;
    });
    said.hidden = false;
  }
  function showCount() { counter.textContent = text(words.count, { n: here, all: all }); }
  function mark(row, state, when) {
    here += (state === "checked_in") - (row.dataset.state === "checked_in");
    showCount();
    row.dataset.state = state;
    row.querySelector("[data-tag]").textContent = words[state] + (when ? " " + when : "");
    row.querySelector("[data-tag]").className = "tag " + (state === "checked_in" ? "good" : "plain");
    Array.prototype.forEach.call(row.querySelectorAll("button[name=act]"), function (button) {
      var move = button.value.split(":").pop(), isIn = state === "checked_in";
      button.hidden = move === "check_in" ? isIn : move === "leave" ? !isIn : !isIn && state !== "left";
    });
  }
  function showQueue(note) {
    var count = waiting().length;
    line.className = "door-queue" + (count ? " waits" : "");
    line.textContent = (count ? text(words.waiting, { n: count }) : words.sent) + (note ? " " + note : "");
  }
  function showStrange(scan) {
    var entry = strange.appendChild(document.createElement("li"));
    entry.textContent = text(words.strange, { code: scan.code, time: clock(new Date(scan.at)) });
    strange.hidden = false;
  }

  /* The page may be older than the meeting's beginning, and the phone without a network: what is read on the
     day is therefore kept, and counts once the server says that the meeting has begun. Only where server and
     phone agree that the day has not come is nothing read: a trial must not check anybody in. */
  function waitsForBeginning() { return words.state === "timetabled"; }
  function dayOf(now) { return new Date(now.getTime() + 8 * 3600000).toISOString().slice(0, 10); }
  function isTooEarly(now) { return Boolean(words.day) && dayOf(now) < words.day; }

  /* A meeting of several days awaits everybody anew each day, and the page may be yesterday's, kept by the phone:
     who came yesterday is read again today. */
  function turnDay(now) {
    var day = dayOf(now);
    if (!words.today || day <= words.today || day > words.last) return;
    words.today = day;
    rows().forEach(function (row) { mark(row, "expected"); });
  }

  /* how a person stands after a move; a check-in by mistake never was */
  var leads = { check_in: "checked_in", leave: "left", undo_check_in: "expected" };
  function follow(row, move, when) { mark(row, leads[move], move === "undo_check_in" ? "" : clock(when)); }

  function read(typed, move) {
    var code = plainCode(typed);
    if (!code) return;
    var row = rowOf(code);
    var now = new Date();
    turnDay(now);
    if (row && move === "check_in" && row.dataset.state === "checked_in") {
      say("wait", row.dataset.name, row.dataset.house, text(words.again, { state: row.querySelector("[data-tag]").textContent }));
      return;
    }
    if (isTooEarly(now)) {
      say("wait", row ? row.dataset.name : code, words.why);
      return;
    }
    keep({ key: newKey(), code: code.slice(0, 100), move: move, at: now.toISOString() });
    if (row && waitsForBeginning()) {
      say("wait", row.dataset.name, row.dataset.house, words.kept_back);
    } else if (row) {
      follow(row, move, now);
      say("good", row.dataset.name, row.dataset.house, { check_in: row.dataset.first, leave: words.left, undo_check_in: words.back }[move]);
    } else {
      say("bad", code, words.unknown);
    }
    if (navigator.vibrate) navigator.vibrate(row ? 60 : [60, 60, 60]);
    showQueue();
    send();
  }

  /* it was taken, so the meeting is on, whatever this page was drawn with */
  function hasBegun() {
    delete words.state;
    document.getElementById("door-closed").hidden = true;
    refresh();
  }

  /* sending */
  function token() { return JSON.parse(document.body.getAttribute("hx-headers"))["x-csrf-token"]; }
  function renew() {
    return fetch(words.page, { headers: { accept: "text/html" }, redirect: "manual", cache: "no-store" }).then(function (answer) {
      if (!answer.ok) throw new Error("sign-in");
      return answer.text();
    }).then(function (html) {
      var fresh = new DOMParser().parseFromString(html, "text/html");
      document.body.setAttribute("hx-headers", fresh.body.getAttribute("hx-headers"));
    });
  }
  function post(batch) {
    /* a line that is neither dead nor alive is given up after a while; what was sent is known by its key */
    var patience = new AbortController();
    setTimeout(function () { patience.abort(); }, 20000);
    return fetch(words.scans, {
      method: "POST", credentials: "same-origin", redirect: "manual", signal: patience.signal,
      headers: { "content-type": "application/json", accept: "application/json", "x-csrf-token": token() },
      body: JSON.stringify({ sent_at: new Date().toISOString(), scans: batch })
    });
  }
  function send() {
    var batch = waiting().slice(0, 100);
    if (isSending || !batch.length || !navigator.onLine) { showQueue(); return; }
    isSending = true;
    var note = "";
    post(batch).then(function (answer) {
      if (answer.status !== 403) return answer;
      /* the page is older than the session: its token is renewed, the readings stay */
      return renew().then(function () { return post(batch); });
    }).then(function (answer) {
      if (answer.type === "opaqueredirect" || answer.status === 401 || answer.status === 403) note = words.signin;
      else if (answer.status === 409) note = words.closed;
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.json();
    }).then(function (body) {
      body.answers.forEach(function (each) {
        var scan = batch.filter(function (one) { return one.key === each.key; })[0];
        drop(each.key);
        if (scan && each.status !== "unknown" && each.status !== "refused") taken.push(scan);
        if (scan && scan.move === "undo_check_in" && each.status === "refused" && each.name) {
          say("bad", each.name, words.kept_in);
          refresh();
        } else if (scan && (each.status === "unknown" || each.status === "refused")) showStrange(scan);
      });
      isSending = false;
      if (waitsForBeginning()) hasBegun();
      showQueue();
      if (waiting().length) send();
    }).catch(function (trouble) {
      isSending = false;
      if (trouble.message === "sign-in") note = words.signin;
      showQueue(note);
      /* the first call after the network is back often still fails; however often it was tried meanwhile, one
         call waits: many phones must not run down a server that is coming back */
      clearTimeout(again);
      if (!note && navigator.onLine) again = setTimeout(send, 2000);
    });
  }

  /* the list, as it stood at the server, with what was taken since and what still waits here on top of it */
  function apply(since) {
    turnDay(new Date());
    taken.slice(since).concat(waiting()).forEach(function (scan) {
      var row = rowOf(scan.code);
      if (words.today && dayOf(new Date(scan.at)) < words.today) return;
      if (row && !waitsForBeginning()) follow(row, scan.move, new Date(scan.at));
    });
    sift();
  }
  function refresh() {
    if (!navigator.onLine) return;
    var turn = ++calls, since = taken.length;
    fetch(words.page, { headers: { "hx-request": "true" }, redirect: "manual" }).then(function (answer) {
      return answer.ok ? answer.text() : null;
    }).then(function (html) {
      /* answers may overtake each other */
      if (!html || turn < drawn || list.contains(document.activeElement)) return;
      drawn = turn;
      list.innerHTML = html;
      if (words.today && dayOf(new Date()) <= words.last) words.today = dayOf(new Date());
      all = rows().length;
      here = rows().filter(function (row) { return row.dataset.state === "checked_in"; }).length;
      showCount();
      apply(since);
    }).catch(function () { /* later */ });
  }
  function sift() {
    var asked = field.value.trim().toLowerCase();
    var shown = 0;
    rows().forEach(function (row) {
      row.hidden = asked !== "" && row.dataset.search.toLowerCase().indexOf(asked) < 0 && row.dataset.code !== plainCode(asked);
      if (!row.hidden) shown++;
    });
    document.getElementById("door-none").hidden = shown > 0;
  }

  list.addEventListener("click", function (event) {
    var button = event.target.closest("button[name=act]");
    if (!button) return;
    event.preventDefault();
    read(button.closest("[data-code]").dataset.code, button.value.split(":").pop());
  });
  form.addEventListener("submit", function (event) {
    event.preventDefault();
    var code = plainCode(field.value);
    /* a reader that types like a keyboard ends with Enter */
    if (rowOf(code) || /^[2-9A-HJ-NP-Z]{10}$/.test(code)) {
      read(code, "check_in");
      field.value = "";
    }
    sift();
    field.focus();
  });
  field.addEventListener("input", sift);

  /* the camera, where the browser reads codes by itself */
  var eye = document.getElementById("door-eye");
  var stream = null, lastCode = "", lastAt = 0;
  function stop() {
    if (stream) stream.getTracks().forEach(function (track) { track.stop(); });
    stream = null;
    eye.hidden = true;
  }
  function look(detector, video) {
    if (!stream) return;
    detector.detect(video).then(function (found) {
      found.forEach(function (each) {
        if (each.rawValue === lastCode && Date.now() - lastAt < 3000) return;
        lastCode = each.rawValue;
        lastAt = Date.now();
        read(each.rawValue, "check_in");
      });
    }).catch(function () { /* not this picture */ }).then(function () { setTimeout(look, 250, detector, video); });
  }
  if ("BarcodeDetector" in window && navigator.mediaDevices) {
    var camera = document.getElementById("door-camera");
    camera.hidden = false;
    camera.addEventListener("click", function () {
      /* opened twice, the first one would stay on for good */
      if (stream) return;
      navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } }).then(function (opened) {
        stream = opened;
        eye.hidden = false;
        var video = eye.querySelector("video");
        video.srcObject = opened;
        video.play();
        look(new window.BarcodeDetector({ formats: ["qr_code"] }), video);
      }).catch(function () { say("bad", words.nocamera, ""); });
    });
    document.getElementById("door-shut").addEventListener("click", stop);
  }

  /* staying here without a network */
  if ("serviceWorker" in navigator) {
    var files = Array.prototype.map.call(document.querySelectorAll("link[rel=stylesheet], script[src], link[rel=icon]"), function (each) {
      return each.getAttribute("href") || each.getAttribute("src");
    });
    var icon = document.querySelector("main use, .topbar use");
    if (icon) files.push(icon.getAttribute("href").split("#")[0]);
    ["/checkin/", words.page].reduce(function (before, scope) {
      return before.then(function () { return navigator.serviceWorker.register("/checkin/worker.js", { scope: scope }); });
    }, Promise.resolve()).then(function () {
      return caches.open("door-1");
    }).then(function (store) {
      var fetched = navigator.onLine ? store.addAll(files.concat(words.page)) : Promise.resolve();
      return fetched.then(function () { door.dataset.kept = "yes"; });
    }).catch(function () { /* the open page works on all the same */ });
  }

  var badge = location.pathname.match(/^\/checkin\/(\w+)$/);
  if (badge) {
    /* opened by a badge while the server could not be reached: ask, do not guess */
    field.value = badge[1];
  }
  window.addEventListener("online", function () { send(); refresh(); });
  window.addEventListener("offline", function () { showQueue(); });
  setInterval(send, 10000);
  setInterval(function () { turnDay(new Date()); }, 60000);
  if (window.EventSource && words.stream) {
    new EventSource(words.stream).addEventListener("changed", refresh);
  }
  apply(0);
  showQueue();
  send();
})();
