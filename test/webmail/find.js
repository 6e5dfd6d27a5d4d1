// Looks for an element in all frames of the page and tells where it is, or why it cannot be used yet. It can be if its page
// has loaded, Roundcube takes commands in it, and a click on its middle would meet it.
(selector, text) => {
  let why = "no such element";
  const usable = (window, x, y) => {
    const document = window.document, roundcube = window.rcmail;
    if (document.readyState !== "complete" || (roundcube && (roundcube.busy || !roundcube.commands["switch-task"]))) {
      why = "the page is busy";
      return null;
    }
    for (const e of document.querySelectorAll(selector)) {
      if (!e.textContent.includes(text)) continue;
      e.scrollIntoView({block: "nearest"});
      const box = e.getBoundingClientRect();
      if (!box.width || !box.height || e.disabled) {
        why = "it is hidden or disabled";
        continue;
      }
      const middle = {x: box.x + box.width / 2, y: box.y + box.height / 2};
      const top = document.elementFromPoint(middle.x, middle.y);
      if (!top || !(e.contains(top) || top.control === e)) {
        why = "it is covered by " + (top ? top.outerHTML.slice(0, 200) : "nothing");
        continue;
      }
      return {x: x + middle.x, y: y + middle.y, text: e.innerText, value: String(e.value ?? ""), checked: Boolean(e.checked), why: ""};
    }
    for (const frame of document.querySelectorAll("iframe")) {
      const box = frame.getBoundingClientRect();
      if (!box.width || !frame.contentDocument || frame.contentDocument.URL === "about:blank") continue;
      const found = usable(frame.contentWindow, x + box.x + frame.clientLeft, y + box.y + frame.clientTop);
      if (found) return found;
    }
    return null;
  };
  return usable(window, 0, 0) ?? {why};
}
