// Elements from code. Text only ever becomes text: what users call their jobs is never HTML.

export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Sets a text only when it differs, so that a selection and a screen reader stay undisturbed.
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// A bar of parts: [["running", 0.3], ["succeeded", 0.5]]; the rest stays empty.
export function setBar(bar, parts) {
  const key = JSON.stringify(parts);
  if (bar.dataset.parts === key) return;
  bar.dataset.parts = key;
  bar.replaceChildren(...parts.filter(([, share]) => share > 0).map(([kind, share]) => {
    const part = make("span", {"data-kind": kind});
    part.style.width = `${Math.min(100, share * 100)}%`;
    return part;
  }));
}
