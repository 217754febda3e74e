// The table of jobs: one row for each, arrays in one row that opens into its members.
//
// Rows are kept and changed in place, so focus, selection and scroll position survive an update.
import {make, mark, say, setBar} from "./dom.js";
import {ago, bytes, clock, duration, number, plural} from "./format.js";

const words = {held: "held", pending: "waiting", running: "running", stopping: "stopping",
  succeeded: "succeeded", failed: "failed", time_limit: "time limit", cancelled: "cancelled", lost: "lost"};
const order = ["succeeded", "failed", "time_limit", "lost", "cancelled", "stopping", "running", "pending", "held"];
const views = {
  all: () => true,
  running: (job) => job.state === "running" || job.state === "stopping",
  waiting: (job) => job.state === "pending" || job.state === "held",
  succeeded: (job) => job.state === "succeeded",
  trouble: (job) => ["failed", "time_limit", "lost", "cancelled"].includes(job.state),
};

let jobs = [];          // as the hub tells them, newest first
let told = false;       // the hub has answered at least once
let cut = false;        // there are older jobs than those
let view = "all";
let filter = "";
let selected = "";
const rows = new Map(); // key -> row
const opened = new Set();

export const stateWord = (state) => words[state] ?? state;
export const isFinal = (state) => !["held", "pending", "running", "stopping"].includes(state);

export function asksFor(job) {
  const parts = [];
  if (job.replicas > 1) parts.push(`${job.replicas} replicas`);
  if (job.chips > 0) parts.push(plural(job.chips, "chip", "chips"));
  if (job.cpus > 0) parts.push(plural(job.cpus, "CPU", "CPUs"));
  if (job.memory_bytes > 0) parts.push(bytes(job.memory_bytes));
  return parts.join(" · ");
}

function whereText(job) {
  if (job.nodes.length === 0) return job.reason || "";
  return job.nodes.length <= 2 ? job.nodes.join(", ") : `${job.nodes[0]} and ${job.nodes.length - 1} more`;
}

// What the time column says, and how full its bar is.
function timeOf(job, now) {
  if (job.state === "running" || job.state === "stopping") {
    const ran = now - (job.started_at_ms ?? now);
    return {text: duration(ran), bar: job.limit_ms > 0 ? ran / job.limit_ms : 0,
      title: `of at most ${duration(job.limit_ms)}`};
  }
  if (isFinal(job.state)) {
    if (!job.started_at_ms) return {text: "–", bar: null, title: "never started"};
    return {text: duration(job.ended_at_ms - job.started_at_ms), bar: null, title: `ended ${clock(job.ended_at_ms)}`};
  }
  const waits = `waits ${duration(now - job.submitted_at_ms)}`;
  if (job.starts_at_ms > now) {
    const about = job.starts_promised ? "within" : "in about";
    return {text: `${waits}, starts ${about} ${duration(job.starts_at_ms - now)}`, bar: null, title: clock(job.starts_at_ms)};
  }
  return {text: waits, bar: null, title: ""};
}

function matches(job) {
  if (!views[view](job)) return false;
  if (filter === "") return true;
  const text = [job.id, job.name, job.tenant, job.user, words[job.state], job.state, ...job.nodes].join(" ").toLowerCase();
  return filter.split(/\s+/).every((word) => text.includes(word));
}

// Of the row that a job stands in.
function keyOf(job) {
  return job.array_index === null ? job.id : `array ${job.id.slice(0, job.id.lastIndexOf("_"))}`;
}

// [{key, job} | {key, members}] in the order of the table.
function grouped(list) {
  const groups = new Map();
  for (const job of list) {
    const isMember = job.array_index !== null;
    const key = keyOf(job);
    if (!groups.has(key)) groups.set(key, isMember ? {key, members: []} : {key, job});
    if (isMember) groups.get(key).members.push(job);
  }
  return [...groups.values()];
}

function newRow(key) {
  const cell = (name) => make("td", {class: name});
  const row = {
    id: cell("c-id"), name: cell("c-name"), state: cell("c-state"), time: cell("c-time"),
    asks: cell("c-asks"), where: cell("c-where"), when: cell("c-when"),
    link: make("a"), owner: make("span", {class: "owner"}), badge: make("span", {class: "badge"}),
    timeText: make("span"), bar: make("div", {class: "bar thin", "aria-hidden": "true"}),
  };
  row.state.append(row.badge);
  row.time.append(row.timeText, row.bar);
  row.element = make("tr", {}, row.id, row.name, row.state, row.time, row.asks, row.where, row.when);
  row.element.addEventListener("click", (event) => {
    // The link and the button do it for the keyboard; the whole row does it for the mouse.
    if (event.target.closest("a, button") || String(getSelection()) !== "") return;
    row.activate?.();
  });
  rows.set(key, row);
  return row;
}

function fillCommon(row, job, now) {
  const owner = [job.tenant, job.user].filter(Boolean).join(" · ");
  say(row.owner, owner);
  say(row.asks, asksFor(job));
  say(row.when, ago(job.submitted_at_ms, now));
  mark(row.when, "title", clock(job.submitted_at_ms));
}

function fillJob(row, job, now, member) {
  if (!row.link.isConnected && row.name.childElementCount === 0) row.name.append(row.link, row.owner);
  say(row.id, job.id);
  say(row.link, job.name || `job ${job.id}`);
  mark(row.link, "href", `#job/${job.id}`);
  row.activate = () => { location.hash = `#job/${job.id}`; };
  fillCommon(row, job, now);
  say(row.badge, words[job.state] ?? job.state);
  mark(row.badge, "data-state", job.state);
  const time = timeOf(job, now);
  say(row.timeText, time.text);
  mark(row.time, "title", time.title);
  row.bar.hidden = time.bar === null;
  if (time.bar !== null) setBar(row.bar, [["running", time.bar]]);
  say(row.where, whereText(job));
  mark(row.where, "title", job.nodes.length > 0 ? job.nodes.join(", ") : job.reason);
  mark(row.element, "class", (member ? "member" : "") + (job.id === selected ? " selected" : ""));
}

function fillArray(row, group, now) {
  const key = group.key;
  // What is told about an array is told about all its members, whichever the filter shows.
  const members = jobs.filter((job) => keyOf(job) === key);
  const whole = !cut || keyOf(jobs.at(-1)) !== key;
  const first = members[members.length - 1];
  const id = key.slice("array ".length);
  if (!row.toggle) {
    row.toggle = make("button", {type: "button", class: "toggle", onclick: () => row.activate()},
      make("span", {class: "chevron", "aria-hidden": "true"}), row.label = make("span"));
    row.name.append(row.toggle, row.owner);
    row.bar.className = "bar";
    row.tally = make("span", {class: "tally"});
    row.state.replaceChildren(row.tally);
  }
  row.activate = () => {
    if (!opened.delete(key)) opened.add(key);
    render();
  };
  say(row.id, id);
  say(row.label, `${first.name || `array ${id}`}`);
  mark(row.toggle, "aria-expanded", String(opened.has(key)));
  fillCommon(row, first, now);
  say(row.asks, `${whole ? "" : "newest "}${plural(members.length, "member", "members")}, each ${asksFor(first)}`);
  const counts = new Map();
  for (const job of members) counts.set(job.state, (counts.get(job.state) ?? 0) + 1);
  const total = members.length;
  setBar(row.bar, order.filter((state) => counts.has(state)).map((state) => [state, counts.get(state) / total]));
  const done = members.filter((job) => isFinal(job.state)).length;
  say(row.timeText, `${number(done)} of ${number(total)} ended`);
  const telling = ["failed", "time_limit", "lost", "running", "stopping", "pending", "held", "succeeded", "cancelled"]
    .filter((state) => counts.has(state)).slice(0, 2);
  const tallyKey = JSON.stringify(telling.map((state) => [state, counts.get(state)]));
  if (row.tally.dataset.key !== tallyKey) {
    row.tally.dataset.key = tallyKey;
    row.tally.replaceChildren(...telling.map((state) =>
      make("span", {class: "badge", "data-state": state}, `${number(counts.get(state))} ${words[state]}`)));
  }
  const nodes = new Set(members.filter((job) => job.state === "running").flatMap((job) => job.nodes));
  say(row.where, nodes.size > 2 ? `${nodes.size} nodes` : [...nodes].join(", "));
  mark(row.element, "class", "array");
}

export function render() {
  const now = Date.now();
  const body = document.getElementById("jobs");
  const wanted = [];
  const shown = jobs.filter(matches);
  for (const group of grouped(shown)) {
    const row = rows.get(group.key) ?? newRow(group.key);
    wanted.push(row.element);
    if (group.job) {
      fillJob(row, group.job, now, false);
      continue;
    }
    fillArray(row, group, now);
    if (!opened.has(group.key)) continue;
    for (const job of [...group.members].sort((a, b) => a.array_index - b.array_index)) {
      const member = rows.get(job.id) ?? newRow(job.id);
      fillJob(member, job, now, true);
      wanted.push(member.element);
    }
  }
  // Put rows where they belong, moving only those that are not there already.
  wanted.forEach((element, index) => {
    if (body.children[index] !== element) body.insertBefore(element, body.children[index] ?? null);
  });
  while (body.children.length > wanted.length) body.lastElementChild.remove();
  if (rows.size > 2 * wanted.length + 200) {
    for (const [key, row] of rows) if (!row.element.isConnected) rows.delete(key);
  }
  const empty = document.getElementById("jobs-empty");
  empty.hidden = wanted.length > 0;
  if (!told) return;
  if (jobs.length === 0) {
    empty.replaceChildren("No job yet. Submit one: ", make("code", {}, "weir submit job.yaml"));
  } else {
    say(empty, "No job fits the filter.");
  }
}

export function showJobs(list, limit) {
  jobs = list;
  cut = list.length >= limit;
  told = true;
  say(document.getElementById("jobs-note"), cut ? `The newest ${number(limit)} are shown; weir ps finds the others.` : "");
  render();
}

// A change from the event stream, before the next full answer. False: the job is not known here.
export function applyChange(change) {
  const job = jobs.find((each) => each.id === change.id);
  if (!job) return false;
  job.state = change.state;
  job.reason = change.reason;
  if (change.state === "running") job.started_at_ms ??= change.at_ms;
  if (isFinal(change.state)) job.ended_at_ms = change.at_ms;
  return true;
}

export function select(id) {
  selected = id;
  render();
}

export function focusJob(id) {
  rows.get(id)?.link.focus();
}

export function startTable() {
  const input = document.getElementById("filter");
  input.addEventListener("input", () => {
    filter = input.value.trim().toLowerCase();
    render();
  });
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => {
      view = button.dataset.view;
      for (const other of document.querySelectorAll("[data-view]")) {
        other.setAttribute("aria-pressed", String(other === button));
      }
      render();
    });
  }
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.closest?.("input, select, textarea")) {
      event.preventDefault();
      input.focus();
    }
  });
  setInterval(() => { if (!document.hidden) render(); }, 1000);
}
