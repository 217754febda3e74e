// The console: asks the hub for everything once, then listens, and asks again when told.
import {say} from "./dom.js";
import {askJson, gently, listen} from "./hub.js";
import {number} from "./format.js";
import {showFleet} from "./fleet.js";
import {applyChange, render, showJobs, startTable} from "./jobs.js";
import {closeDetail, isOpen, openDetail, refreshDetail} from "./detail.js";

const jobsShown = 1000;

const link = document.getElementById("link");
function setLink(state, text) {
  link.dataset.state = state;
  say(document.getElementById("link-text"), text);
}

const askJobs = gently(async () => {
  try {
    showJobs((await askJson(`v1/jobs?limit=${jobsShown}`)).jobs, jobsShown);
  } catch (error) {
    setLink("waiting", error.message);
  }
}, 1500);

const askFleet = gently(async () => {
  try {
    const [fleet, status] = await Promise.all([askJson("v1/fleet"), askJson("v1/status")]);
    showFleet(fleet.pools);
    for (const key of ["running", "pending", "held"]) say(document.getElementById(`count-${key}`), number(status[key]));
    say(document.getElementById("count-ended"), number(status.jobs_ended));
    say(document.getElementById("about"), `weir ${status.version} · policy ${status.policy} · ${status.data_dir} · decisions ${status.digest.slice(0, 8)}`);
  } catch (error) {
    setLink("waiting", error.message);
  }
}, 1000);

const askDetail = gently(refreshDetail, 500);

function route() {
  const found = /^#job\/(.+)$/.exec(location.hash);
  let reference = found?.[1] ?? "";
  try {
    reference = decodeURIComponent(reference);
  } catch {
    // Not written by us: the hub will say that it knows no such job.
  }
  if (reference !== "") openDetail(reference);
  else closeDetail();
}

startTable();
addEventListener("hashchange", route);
route();
let paint = 0;
listen({
  onOpen() {
    askJobs();
    askFleet();
    askDetail();
  },
  onJob(change) {
    applyChange(change);
    // A burst of changes is painted once.
    paint ||= requestAnimationFrame(() => {
      paint = 0;
      render();
    });
    askJobs();
    askFleet();
    if (isOpen(change.id)) askDetail();
  },
  onState(state) {
    setLink(state, {live: "live", waiting: "looking for the hub", asleep: "asleep"}[state]);
  },
});
