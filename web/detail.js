// One job: what it is, why it waits, how it went, what it writes.
import {make, mark, say} from "./dom.js";
import {bytes, clock, duration} from "./format.js";
import {ask, askJson} from "./hub.js";
import {asksFor, focusJob, isFinal, select, stateWord} from "./jobs.js";

const tailBytes = 64 * 1024;
const shownBytes = 256 * 1024;

let current = null;  // the job that is open: {id, parts...}

function facts(pairs) {
  return make("dl", {class: "facts"}, ...pairs.filter(([, value]) => value !== "" && value !== null)
    .map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value))));
}

function build(id) {
  const parts = {id, stream: "stdout", rank: 0, offset: null, attempt: null, log: "", reading: false, again: false, job: null};
  parts.title = make("h2", {id: "detail-title", tabindex: "-1"}, `Job ${id}`);
  parts.badge = make("span", {class: "badge"});
  parts.close = make("button", {type: "button", class: "close", "aria-label": "Close", onclick: closeDetail}, "×");
  parts.sentence = make("p", {class: "sentence"});
  parts.more = make("ul", {class: "more"});
  parts.facts = make("div");
  parts.cancel = make("button", {type: "button", class: "cancel", onclick: () => cancel(parts)}, "Cancel this job");
  parts.problem = make("p", {class: "problem", role: "alert"});
  parts.rankPick = make("select", {"aria-label": "Rank", onchange: () => restartLog(parts, {rank: Number(parts.rankPick.value)})});
  parts.streams = ["stdout", "stderr"].map((name) =>
    make("button", {type: "button", "aria-pressed": String(name === "stdout"), onclick: () => restartLog(parts, {stream: name})}, name));
  parts.output = make("pre", {class: "log", role: "log", tabindex: "0", "aria-label": "Output of the job", hidden: true});
  parts.logNote = make("p", {class: "quiet"});
  parts.attempts = make("ol", {class: "attempts"});
  parts.attemptsTitle = make("h3", {}, "Attempts");
  parts.spec = make("pre", {class: "spec", tabindex: "0", "aria-label": "Description of the job"});
  const frame = document.getElementById("detail");
  frame.replaceChildren(
    make("header", {}, parts.title, parts.badge, parts.close),
    make("div", {class: "detail-body"},
      make("div", {class: "why"}, parts.sentence, parts.more), parts.problem, parts.facts, parts.cancel,
      make("div", {class: "log-head"}, make("h3", {}, "Output"),
        make("div", {class: "views", role: "group", "aria-label": "Stream"}, ...parts.streams), parts.rankPick),
      parts.output, parts.logNote, parts.attemptsTitle, parts.attempts,
      make("details", {}, make("summary", {}, "Description"), parts.spec)));
  frame.hidden = false;
  document.body.classList.add("with-detail");
  return parts;
}

export function openDetail(id) {
  if (current?.id === id) return;
  current = build(id);
  select(id);
  current.title.focus({preventScroll: true});
  refreshDetail();
}

// The address may name a job otherwise than by its id.
export function isOpen(id) {
  return current !== null && (current.id === id || current.job?.id === id);
}

export function closeDetail() {
  if (!current) return;
  const id = current.job?.id ?? current.id;
  document.title = "weir";
  current = null;
  document.getElementById("detail").hidden = true;
  document.body.classList.remove("with-detail");
  if (location.hash !== "") history.replaceState(null, "", location.pathname);
  select("");
  focusJob(id);
}

async function cancel(parts) {
  // Two steps instead of a dialogue: the second press is the answer to the question.
  if (parts.cancel.dataset.sure !== "yes") {
    parts.cancel.dataset.sure = "yes";
    say(parts.cancel, "Really cancel? Press again");
    setTimeout(() => {
      parts.cancel.dataset.sure = "";
      say(parts.cancel, "Cancel this job");
    }, 4000);
    return;
  }
  try {
    await askJson(`v1/jobs/${encodeURIComponent(parts.id)}/cancel`, {method: "POST"});
    say(parts.problem, "");
  } catch (error) {
    say(parts.problem, error.message);
  }
  refreshDetail();
}

export async function refreshDetail() {
  const parts = current;
  if (!parts) return;
  const path = `v1/jobs/${encodeURIComponent(parts.id)}`;
  try {
    const answer = await askJson(path);
    const job = answer.jobs[0];
    if (parts !== current) return;
    parts.job = job;
    say(parts.problem, "");
    fill(parts, job);
    if (isFinal(job.state)) {
      say(parts.sentence, endSentence(job));
      parts.more.replaceChildren();
    } else {
      const why = await askJson(`${path}/explain`);
      if (parts !== current) return;
      say(parts.sentence, why.sentence);
      const helps = (why.would_help ?? []).map((help) => `what would help: ${help.sentence}`);
      parts.more.replaceChildren(...[...why.details, ...helps].map((line) => make("li", {}, line)));
    }
  } catch (error) {
    if (parts === current) say(parts.problem, error.message);
  }
  readLog(parts);
}

const attemptWords = {exited: "ended", not_started: "could not be started", time_limit: "stopped at its time limit",
  memory: "stopped for its memory", stopped: "stopped", lost: "lost"};

function attemptEnd(attempt) {
  const how = attempt.signal ? `, signal ${attempt.signal}` :
    attempt.kind === "exited" && attempt.exit_code !== null ? ` with exit code ${attempt.exit_code}` : "";
  return (attemptWords[attempt.kind] ?? attempt.kind) + how;
}

function endSentence(job) {
  const ran = job.started_at_ms ? ` after ${duration(job.ended_at_ms - job.started_at_ms)}` : "";
  if (job.state === "succeeded") return `It succeeded${ran}.`;
  if (job.state === "cancelled" && job.started_at_ms) return `It was cancelled${ran}.`;
  const how = job.signal ? `, signal ${job.signal}` : job.exit_code ? `, exit code ${job.exit_code}` : "";
  const why = job.attempts.at(-1)?.detail || (job.reason.startsWith("exit code") ? "" : job.reason);
  const sentence = why === "" ? "" : ` ${why[0].toUpperCase()}${why.slice(1)}${why.endsWith(".") ? "" : "."}`;
  return `It ended${ran}: ${stateWord(job.state)}${how}.${sentence}`;
}

function fill(parts, job) {
  say(parts.title, job.name ? `${job.name}` : `Job ${job.id}`);
  document.title = `${job.name || job.id} · weir`;
  say(parts.badge, stateWord(job.state));
  mark(parts.badge, "data-state", job.state);
  parts.cancel.hidden = isFinal(job.state);
  parts.facts.replaceChildren(facts([
    ["id", job.id], ["tenant", job.tenant], ["user", job.user], ["priority", job.priority],
    ["asks for", asksFor(job)], ["nodes", job.nodes.join(", ")],
    ["submitted", clock(job.submitted_at_ms)],
    ["started", job.started_at_ms ? clock(job.started_at_ms) : ""],
    ["starts", job.starts_at_ms ? `${job.starts_promised ? "by" : "about"} ${clock(job.starts_at_ms)}` : ""],
    ["reservation", job.reservation],
    ["ended", job.ended_at_ms ? clock(job.ended_at_ms) : ""],
    ["time limit", duration(job.limit_ms)],
    ["largest memory", job.max_rss_bytes ? bytes(job.max_rss_bytes) : ""],
    ["CPU time", job.cpu_ms !== null ? duration(job.cpu_ms) : ""],
    ["folder", job.workdir],
  ]));
  parts.attempts.replaceChildren(...job.attempts.map((attempt) => make("li", {},
    `${clock(attempt.started_at_ms)}: ` + (attempt.kind === null ? "running" :
      attemptEnd(attempt) + ` after ${duration(attempt.ended_at_ms - attempt.started_at_ms)}` +
      (attempt.detail ? `. ${attempt.detail}` : "")))));
  parts.attemptsTitle.hidden = parts.attempts.hidden = job.attempts.length < 2;
  const ranks = job.attempts.at(-1)?.tasks.map((task) => String(task.rank)) ?? [];
  parts.rankPick.hidden = ranks.length < 2;
  if (parts.rankPick.options.length !== ranks.length) {
    parts.rankPick.replaceChildren(...ranks.map((rank) => make("option", {value: rank}, `rank ${rank}`)));
  }
  const spec = JSON.stringify(job.spec, null, 2);
  say(parts.spec, spec);
}

function restartLog(parts, change) {
  Object.assign(parts, change, {offset: null, log: "", attempt: null});
  parts.output.textContent = "";
  for (const button of parts.streams) button.setAttribute("aria-pressed", String(button.textContent === parts.stream));
  readLog(parts);
}

// Reads on from where the last reading stopped; the first one begins near the end of the file.
async function readLog(parts) {
  if (parts !== current) return;
  if (parts.reading) {
    parts.again = true;
    return;
  }
  parts.reading = true;
  const {stream, rank} = parts;
  try {
    const from = parts.offset === null ? `tail=${tailBytes}` : `offset=${parts.offset}`;
    const reply = await ask(`v1/jobs/${encodeURIComponent(parts.id)}/logs?stream=${stream}&rank=${rank}&${from}`);
    const text = await reply.text();
    if (parts !== current || stream !== parts.stream || rank !== parts.rank) return;
    const attempt = reply.headers.get("X-Weir-Attempt");
    if (parts.attempt !== null && parts.attempt !== attempt) {
      parts.offset = null;  // a new attempt writes new files
      parts.log = "";
      parts.again = true;
    } else {
      parts.log = (parts.log + text).slice(-shownBytes);
      parts.offset = reply.headers.get("X-Weir-Offset");
    }
    parts.attempt = attempt;
    const output = parts.output;
    const atEnd = output.scrollTop + output.clientHeight >= output.scrollHeight - 30;
    if (output.textContent !== parts.log) output.textContent = parts.log;
    if (atEnd) output.scrollTop = output.scrollHeight;
    const ended = reply.headers.get("X-Weir-End") === "1";
    say(parts.logNote, parts.log === "" ? (ended ? "It wrote nothing here." : "Nothing written yet.") : "");
    output.hidden = parts.log === "";
    if (text.length > 0 && !ended) parts.again = true;
  } catch (error) {
    if (parts === current) say(parts.logNote, error.message);
  } finally {
    parts.reading = false;
    if (parts.again) {
      parts.again = false;
      setTimeout(() => readLog(parts), 300);
    }
  }
}

// While a job runs its output grows without an event.
setInterval(() => {
  if (current?.job && current.job.state === "running" && !document.hidden) readLog(current);
}, 1500);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeDetail(); });
