/* What a page gains with JavaScript; everything works without it. */
(function () {
  "use strict";
  var words = document.querySelector('meta[name="words"]').dataset;
  var all = function (selector, root) { return Array.prototype.slice.call((root || document).querySelectorAll(selector)); };

  /* passing words */
  var toasts = document.getElementById("toasts");
  function say(text, isError) {
    var box = document.createElement("div");
    box.className = "toast " + (isError ? "error" : "good");
    var line = box.appendChild(document.createElement("p"));
    line.textContent = text;
    var close = box.appendChild(document.createElement("button"));
    close.className = "toast-close";
    close.type = "button";
    close.textContent = "×";
    close.setAttribute("aria-label", words.close);
    close.dataset.dismiss = "";
    toasts.appendChild(box);
    fade();
  }
  function fade() {
    all(".toast:not(.error):not([data-fading])", toasts).forEach(function (box) {
      box.dataset.fading = "";
      setTimeout(function () { box.remove(); }, 7000);
    });
  }
  document.addEventListener("toast", function (event) { say(event.detail.value); });
  document.addEventListener("htmx:sendError", function () { say(words.offline, true); });

  /* the same in the other unit, and a question where it is ten times off */
  var grams = { jin: 500, kg: 1000, t: 1e6 };
  var longer = { 千: 1e3, 万: 1e4 };
  /* read as market/web/parts/typed.py reads it: what it refuses has no echo */
  function numberIn(text) {
    var flat = text.replace(/[\uff01-\uff5e]/g, function (wide) { return String.fromCharCode(wide.charCodeAt(0) - 0xfee0); });
    flat = flat.replace(/\s/g, "").replace(/。/g, ".");
    var factor = longer[flat.slice(-1)] || 1;
    if (factor > 1) flat = flat.slice(0, -1);
    return /^(\d{1,3}(,\d{3})+|\d+|(?=\.\d))(\.\d+)?$/.test(flat) ? parseFloat(flat.replace(/,/g, "")) * factor : NaN;
  }
  function shown(value, least) {
    return value.toLocaleString("en-US", { minimumFractionDigits: least || 0, maximumFractionDigits: 3 });
  }
  function echo(input) {
    var box = document.getElementById(input.id + "-echo");
    var unit = input.form.elements[input.name + "_unit"].value;
    var value = numberIn(input.value);
    var base, text;
    if (input.dataset.echo === "quantity") {
      base = value * grams[unit];
      text = shown(base / 500) + " " + words.jin + " = " + (base < 1e5 ? shown(base / 1e3) + " " + words.kg : shown(base / 1e6) + " " + words.t);
    } else {
      base = value * 100 * (unit === "jin" ? 2 : 1);
      text = shown(base / 200, 2) + " " + words.yuanjin + " = " + shown(base / 100, 2) + " " + words.yuankg;
    }
    var low = parseFloat(input.dataset.low), high = parseFloat(input.dataset.high);
    var isOdd = base > 0 && (base <= low / 5 || base >= high * 5);
    if (!isOdd) delete input.dataset.asked;
    box.className = isOdd ? "echo ask" : "echo";
    box.textContent = base > 0 ? text + (isOdd ? " · " + input.dataset.ask : "") : "";
    return isOdd;
  }
  function echoAll(root) { all("[data-echo]", root).forEach(echo); }

  /* drafts: kept on this device until the page after the post shows that it arrived */
  var store = window.localStorage;
  function keep(key, value) { try { value === null ? store.removeItem(key) : store.setItem(key, value); } catch (full) { /* private mode: no drafts */ } }
  function kept(key) { try { return store.getItem(key); } catch (closed) { return null; } }
  function fieldsOf(form) {
    return all("input, select, textarea", form).filter(function (field) {
      return field.name && ["hidden", "password", "file"].indexOf(field.type) < 0;
    });
  }
  function tell(form, text) { var line = form.querySelector(".draft-state"); if (line) line.textContent = text; }
  /* chosen photos: a browser's own store for files, where it has one and lets them be put back */
  function files(mode, act) {
    try {
      var opening = indexedDB.open("drafts", 1);
      opening.onupgradeneeded = function () { opening.result.createObjectStore("files"); };
      opening.onsuccess = function () {
        try { act(opening.result.transaction("files", mode).objectStore("files")); } catch (closed) { /* chosen again, then */ }
        opening.result.close();
      };
    } catch (closed) { /* private mode */ }
  }
  function saveFiles(field) {
    var chosen = Array.prototype.slice.call(field.files);
    files("readwrite", function (box) { box.put(chosen, field.form.dataset.draft + ":" + field.name); });
  }
  function save(form) {
    keep("draft:" + form.dataset.draft, JSON.stringify(fieldsOf(form).map(function (field) {
      return [field.name, field.value, field.type === "checkbox" || field.type === "radio" ? field.checked : null];
    })));
    tell(form, words.saved);
  }
  function restore(form) {
    var draft = kept("draft:" + form.dataset.draft);
    if (!draft || document.querySelector("[data-failed]")) return;
    JSON.parse(draft).forEach(function (line) {
      fieldsOf(form).forEach(function (field) {
        if (field.name !== line[0]) return;
        if (line[2] === null) field.value = line[1];
        else if (field.value === line[1]) field.checked = line[2];
      });
    });
    /* nobody knows whether it arrived: with its first key it is done once */
    var key = kept("key:" + form.dataset.draft);
    if (key && form.elements.key) form.elements.key.value = key;
    tell(form, words.restored);
  }
  function restoreFiles(form) {
    all('input[type="file"]', form).forEach(function (field) {
      files("readonly", function (box) {
        box.get(form.dataset.draft + ":" + field.name).onsuccess = function (event) {
          var chosen = event.target.result || [];
          if (!chosen.length || field.files.length) return;
          try {
            var carrier = new DataTransfer();
            chosen.forEach(function (file) { carrier.items.add(file); });
            field.files = carrier.files;
          } catch (old) { return; }
          all("[data-lost]", form).forEach(function (line) { line.remove(); });
        };
      });
    });
  }
  function dropFiles(draft) {
    files("readwrite", function (box) { box.delete(IDBKeyRange.bound(draft + ":", draft + ";", false, true)); });
  }
  /* A form that arrived is answered by leading on to a page; a page that was opened otherwise says nothing of it:
     the line may have dropped while it was sent. */
  function ledHere() {
    var way = window.performance && performance.getEntriesByType && performance.getEntriesByType("navigation")[0];
    return (!way || way.redirectCount > 0) && !document.querySelector('input[name="password"]');
  }
  function settle() {
    var sent = kept("sent"), failed = document.querySelector("[data-failed]");
    if (!sent) return;
    keep("sent", null);
    if (failed || ledHere()) keep("key:" + sent, null);
    if (failed || !ledHere()) return;
    keep("draft:" + sent, null);
    dropFiles(sent);
  }

  document.addEventListener("input", function (event) {
    var field = event.target;
    var form = field.form;
    if (!form) return;
    /* who writes into a row that can be ticked means it */
    var row = field.closest("[data-row]");
    if (row && !field.classList.contains("row-tick")) row.querySelector(".row-tick").checked = true;
    var partner = field.dataset.echo ? field : form.querySelector('[data-echo][name="' + field.name.replace(/_unit$/, "") + '"]');
    if (partner) echo(partner);
    if (form.dataset.draft) save(form);
    if (form.dataset.draft && field.type === "file") saveFiles(field);
  });
  document.addEventListener("submit", function (event) {
    var form = event.target;
    var odd = all("[data-echo][data-ask]", form).filter(function (input) { return echo(input) && !("asked" in input.dataset); });
    if (odd.length) {
      odd.forEach(function (input) { input.dataset.asked = ""; });
      odd[0].focus();
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    if (form.dataset.draft) {
      if (!navigator.onLine) {
        event.preventDefault();
        event.stopImmediatePropagation();
        save(form);
        tell(form, words.waiting);
        window.addEventListener("online", function () { form.requestSubmit ? form.requestSubmit() : form.submit(); }, { once: true });
        return;
      }
      keep("sent", form.dataset.draft);
      if (form.elements.key) keep("key:" + form.dataset.draft, form.elements.key.value);
    }
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      setTimeout(function () { all("button", form).forEach(function (button) { button.disabled = true; button.setAttribute("aria-busy", "true"); }); }, 0);
    }
  }, true);
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) all("button[aria-busy]").forEach(function (button) { button.disabled = false; button.removeAttribute("aria-busy"); });
  });

  document.addEventListener("click", function (event) {
    var hit = event.target.closest("[data-dismiss], [data-opens], [data-print]");
    all(".menu[open]").forEach(function (menu) { if (!menu.contains(event.target)) menu.open = false; });
    if (!hit) return;
    if ("dismiss" in hit.dataset) hit.parentNode.remove();
    if ("print" in hit.dataset) window.print();
    if (hit.dataset.opens) {
      event.preventDefault();
      document.getElementById(hit.dataset.opens).showModal();
    }
  });
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") all(".menu[open]").forEach(function (menu) { menu.open = false; menu.querySelector("summary").focus(); });
  });

  settle();
  all("form[data-draft]").forEach(function (form) { restore(form); restoreFiles(form); });
  all("[data-print]").forEach(function (button) { button.hidden = false; });
  echoAll();
  fade();
  document.addEventListener("htmx:afterSwap", function (event) { echoAll(event.target); fade(); });
  /* a token that had gone stale: every form of the page takes the new one */
  document.addEventListener("token", function (event) {
    all('input[name="_csrf"]').forEach(function (field) { field.value = event.detail.value; });
    all("[hx-headers]").forEach(function (part) { part.setAttribute("hx-headers", JSON.stringify({ "x-csrf-token": event.detail.value })); });
  });
  var failed = document.querySelector("[data-failed]");
  if (failed) { failed.tabIndex = -1; failed.focus(); }
})();
