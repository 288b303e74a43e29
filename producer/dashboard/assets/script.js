// The only script: it moves times on, follows what is live, and gives / to the search.
// Every page works without it.
"use strict";
(() => {
  const took = (s) => {
    s = Math.max(0, Math.round(s));
    if (s < 60) return `${s} s`;
    const two = (n) => String(n).padStart(2, "0");
    if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
    if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
    const days = Math.floor(s / 86400);
    return `${days} day${days === 1 ? "" : "s"}`;
  };

  // Relative times move on; the title of each has the instant in the viewer's zone.
  const tell = () => {
    for (const e of document.querySelectorAll("time[datetime]")) {
      const at = new Date(e.dateTime);
      if (!e.dataset.told) {
        e.dataset.told = "1";
        e.title = `${at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" })} (${e.title})`;
      }
      const ahead = (at - Date.now()) / 1000;
      if (e.dataset.relative === "ago") e.textContent = `${took(-ahead)} ago`;
      if (e.dataset.relative === "until") e.textContent = ahead > 0 ? `in ${took(ahead)}` : "now";
      if (e.dataset.relative === "since") e.textContent = took(-ahead);
    }
  };
  if (!document.hidden) tell();
  let paused = false; // by the viewer: then nothing moves
  setInterval(() => document.hidden || paused || tell(), 1000);

  document.addEventListener("keydown", (e) => {
    if (e.key !== "/" || e.ctrlKey || e.metaKey || e.altKey || e.target.closest("input, textarea, select")) return;
    const search = document.querySelector(".search input");
    e.preventDefault();
    search.focus();
    search.select();
  });

  // A box in a table's head selects all boxes of the form.
  document.addEventListener("change", (e) => {
    if (!e.target.matches("[data-all]")) return;
    for (const box of e.target.form.querySelectorAll("input[type=checkbox]")) box.checked = e.target.checked;
  });

  // morph changes a node into another one. What is the same stays, with its focus, its
  // ticks and what is unfolded.
  const morph = (old, next) => {
    if (old.nodeType !== next.nodeType || old.nodeName !== next.nodeName || (old.id || "") !== (next.id || "")) {
      old.replaceWith(next);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== next.data) old.data = next.data;
      return;
    }
    if (old.isEqualNode(next)) return;
    for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    const known = new Map([...old.children].filter((c) => c.id).map((c) => [c.id, c]));
    let at = old.firstChild;
    for (const child of [...next.childNodes]) {
      const same = child.id && known.get(child.id);
      if (same && same !== at) old.insertBefore(same, at);
      if (same) at = same;
      if (!at) {
        old.append(child);
        continue;
      }
      if (!same && (child.id || at.id)) {
        old.insertBefore(child, at);
        continue;
      }
      const following = at.nextSibling;
      morph(at, child);
      at = following;
    }
    while (at) {
      const following = at.nextSibling;
      at.remove();
      at = following;
    }
  };

  // What is live comes as server-sent events: each names regions and their new content.
  const address = document.body.dataset.live;
  const control = document.querySelector("[data-pause]");
  if (!address || !control) return;
  let source, version = document.body.dataset.version || "", ended = false;
  const say = (text) => { document.querySelector("[data-live-state]").textContent = text; };
  const close = () => { if (source) source.close(); source = undefined; };
  const open = () => {
    if (source || paused || ended || document.hidden) return;
    source = new EventSource(`${address}?after=${encodeURIComponent(version)}`);
    source.addEventListener("open", () => say("Live"));
    source.addEventListener("error", () => {
      say("Connecting again…");
      if (source.readyState !== EventSource.CLOSED) return;
      close(); // refused: the browser does not try again by itself
      setTimeout(open, 5000);
    });
    source.addEventListener("regions", (e) => {
      version = e.lastEventId;
      for (const [id, html] of Object.entries(JSON.parse(e.data))) {
        const old = document.getElementById(id);
        const next = document.createElement("template");
        next.innerHTML = html;
        if (old && next.content.firstElementChild) morph(old, next.content.firstElementChild);
      }
      const titled = document.querySelector("[data-title]");
      if (titled) document.title = `${titled.dataset.title} · mirrorfleet`;
      tell();
    });
    source.addEventListener("end", () => {
      ended = true;
      close();
      // Never more often than every five seconds, whatever the page says then.
      setTimeout(() => location.reload(), Math.max(0, 5000 - performance.now()));
    });
  };
  control.hidden = false;
  control.addEventListener("click", () => {
    paused = !paused;
    control.textContent = paused ? "Continue updates" : "Pause updates";
    if (paused) {
      close();
      say(`Paused at ${new Date().toLocaleTimeString()}`);
    } else open();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
})();
