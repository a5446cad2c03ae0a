// Copyright: (c) 2026, oncall.runbooks maintainers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The page works without any of this: here it only stays fresh, and menus close.
"use strict";
(() => {
  const main = document.getElementById("content");
  const fresh = document.getElementById("fresh");
  const topic = document.body.dataset.live;

  // Somebody who writes is not interrupted.
  const isBusy = () => {
    const changed = [...main.querySelectorAll("input:not([type=hidden]), textarea, select")].some((one) =>
      one.type === "checkbox" ? one.checked !== one.defaultChecked
        : one.tagName === "SELECT" ? [...one.options].some((option) => option.selected !== option.defaultSelected && [...one.options].some((other) => other.defaultSelected))
          : one.value !== one.defaultValue);
    return changed || main.querySelector("details.act[open]") !== null || String(getSelection()) !== "";
  };

  const say = (words) => {
    const link = document.createElement("a");
    link.href = location.href;
    link.textContent = words;
    fresh.replaceChildren(link);
  };

  const renew = async () => {
    try {
      const answer = await fetch(location.href, { credentials: "same-origin", redirect: "manual" });
      if (answer.type === "opaqueredirect") return say("You are signed out. Sign in again");
      if (!answer.ok) return;
      const next = new DOMParser().parseFromString(await answer.text(), "text/html");
      const content = next.getElementById("content");
      if (!content) return;
      if (isBusy()) return say("There is news. Look again");
      const keys = (root) => new Map([...root.querySelectorAll("details")].map((one) => [one.closest("[id]")?.id + one.textContent.slice(0, 80), one]));
      const before = keys(main);
      for (const [key, one] of keys(content)) if (before.get(key)?.open) one.open = true;
      const focused = document.activeElement?.id;
      main.replaceChildren(...content.childNodes);
      if (focused) document.getElementById(focused)?.focus();
      fresh.textContent = next.getElementById("fresh")?.textContent ?? "";
      document.title = next.title;
    } catch {
      // The next news will come.
    }
  };

  if (topic && "EventSource" in window) {
    const news = new EventSource("/events?of=" + encodeURIComponent(topic) + "&seen=" + encodeURIComponent(document.body.dataset.mark));
    let waiting = 0;
    news.addEventListener("changed", () => {
      clearTimeout(waiting);
      waiting = setTimeout(renew, 300);
    });
    // Refused, and not only cut off: nobody would see that what is shown grows old.
    news.addEventListener("error", () => {
      if (news.readyState === EventSource.CLOSED) say("This page is not kept fresh any more. Look again");
    });
    addEventListener("pagehide", () => news.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  const folding = "details.act, details.more, details.inline";
  document.addEventListener("toggle", (event) => {
    const one = event.target;
    if (!(one instanceof HTMLDetailsElement) || !one.open || !one.matches(folding)) return;
    for (const other of document.querySelectorAll(folding)) if (other !== one && !other.contains(one)) other.open = false;
    one.querySelector("form input:not([type=hidden]), form textarea, form select")?.focus();
  }, true);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const one of document.querySelectorAll("details.act[open], details.more[open], details.inline[open]")) {
      one.open = false;
      one.querySelector("summary").focus();
    }
  });
  document.addEventListener("click", (event) => {
    for (const one of document.querySelectorAll("details.more[open]")) if (!one.contains(event.target)) one.open = false;
  });

  // A second tap sends nothing twice.
  document.addEventListener("submit", (event) => {
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
    setTimeout(() => delete event.target.dataset.sent, 5000);
  });
})();
