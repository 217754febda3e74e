// The fleet: a card for every pool, with what is used and what its chips were seen to reach.
import {make, mark, say, setBar} from "./dom.js";
import {bytes, number, plural, rate} from "./format.js";

const cards = new Map();

function meter(label) {
  const bar = make("div", {class: "bar", role: "meter", "aria-label": label, "aria-valuemin": "0"});
  const text = make("span", {class: "meter-text"});
  const row = make("div", {class: "meter"}, make("span", {class: "meter-name"}, label), bar, text);
  return {
    row,
    set(used, total, write) {
      row.hidden = total <= 0;
      if (total <= 0) return;
      setBar(bar, [["used", used / total]]);
      mark(bar, "aria-valuenow", String(used));
      mark(bar, "aria-valuemax", String(total));
      mark(bar, "aria-valuetext", `${write(used)} of ${write(total)} in use`);
      say(text, `${write(used)} / ${write(total)}`);
    },
  };
}

function newCard() {
  const card = {
    title: make("h3"),
    site: make("span", {class: "site"}),
    nodes: make("p", {class: "nodes"}),
    chips: meter("chips"),
    cpus: meter("CPUs"),
    memory: meter("memory"),
    rates: make("ul", {class: "rates", "aria-label": "Rates of one chip"}),
  };
  card.element = make("article", {class: "pool"},
    make("header", {}, card.title, card.site), card.nodes,
    card.chips.row, card.cpus.row, card.memory.row, card.rates);
  return card;
}

const names = {fp64: "FP64", fp32: "FP32", bf16: "BF16", fp16: "FP16", fp8: "FP8", int8: "INT8", tf32: "TF32"};

function fill(card, pool) {
  say(card.title, pool.name);
  say(card.site, pool.chip ? `${pool.site} · ${pool.chip}` : pool.site);
  const down = pool.nodes - pool.nodes_up;
  say(card.nodes, `${plural(pool.nodes, "node", "nodes")}` +
    (down > 0 ? `, ${down} out of service` : "") +
    (pool.nodes > 1 ? `, ${pool.nodes_idle} idle` : "") +
    ` · ${plural(pool.jobs_running, "job", "jobs")} running`);
  card.chips.set(pool.chips_total - pool.chips_free, pool.chips_total, number);
  card.cpus.set(pool.cpus_total - pool.cpus_free, pool.cpus_total, number);
  card.memory.set(pool.memory_total_bytes - pool.memory_free_bytes, pool.memory_total_bytes, bytes);
  card.rates.replaceChildren(...pool.rates.map((each) =>
    make("li", {"data-basis": each.basis, title: `${each.basis}, one chip`},
      make("span", {class: "rate-name"}, names[each.name] ?? each.name),
      make("strong", {}, rate(each.value, each.unit)),
      make("span", {class: "basis"}, each.basis))));
  card.rates.hidden = pool.rates.length === 0;
}

export function showFleet(pools) {
  const frame = document.getElementById("fleet");
  const seen = new Set();
  for (const pool of pools) {
    const key = `${pool.site}/${pool.name}`;
    seen.add(key);
    if (!cards.has(key)) {
      if (cards.size === 0) frame.replaceChildren();
      cards.set(key, newCard());
      frame.append(cards.get(key).element);
    }
    fill(cards.get(key), pool);
  }
  for (const [key, card] of cards) {
    if (seen.has(key)) continue;
    card.element.remove();
    cards.delete(key);
  }
}
