// Talking to the hub: requests, and the event stream that says when to ask again.

export async function ask(path, options = {}) {
  let reply;
  try {
    reply = await fetch(path, options);
  } catch {
    throw new Error("the hub does not answer");
  }
  if (!reply.ok) {
    const body = await reply.json().catch(() => null);
    throw new Error(body?.error?.message ?? `the hub answers with status ${reply.status}`);
  }
  return reply;
}

export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

// Listens while the page can be seen. A browser opens about six connections to one host, so a tab
// in the background gives its stream back; what it missed it asks for when it is looked at again.
//
// onOpen: the stream is there (again), ask for everything. onJob: a job changed.
// onState: "live", "waiting" or "asleep".
export function listen({onOpen, onJob, onState}) {
  let source = null;
  const open = () => {
    if (source !== null) return;
    onState("waiting");
    source = new EventSource("v1/events");
    source.addEventListener("open", () => {
      onState("live");
      onOpen();
    });
    source.addEventListener("job", (event) => onJob(JSON.parse(event.data)));
    source.addEventListener("resync", () => onOpen());
    source.addEventListener("error", () => {
      onState("waiting");
      // The browser tries again by itself, unless it was told that there is no use.
      if (source?.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(() => { if (!document.hidden) open(); }, 2000);
      }
    });
  };
  const close = () => {
    source?.close();
    source = null;
    onState("asleep");
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", () => { if (!document.hidden) open(); });
  open();
}

// Calls `task` soon after the first request for it, never more often than every `pause` ms and
// never twice at once. A burst of a thousand events costs one question.
export function gently(task, pause) {
  let wanted = false;
  let busy = false;
  let last = -Infinity;
  const run = async () => {
    busy = true;
    wanted = false;
    try {
      await task();
    } finally {
      last = performance.now();
      busy = false;
      if (wanted) plan();
    }
  };
  const plan = () => {
    busy = true;
    setTimeout(run, Math.max(30, last + pause - performance.now()));
  };
  return () => {
    wanted = true;
    if (!busy) plan();
  };
}
