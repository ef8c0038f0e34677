/* The stream that is asked for, such as view=recent&lists=0: the one that all windows of this
   browser share, where browsers can share. */

const ALIVE_MS = 10_000;

/* Open it; hear: {open(), error(), event(kind, data)}. Return what closes it. */
export function openStream(asked, hear) {
  return window.SharedWorker ? shared(asked, hear) : own(asked, hear);
}

function shared(asked, hear) {
  const { port } = new SharedWorker("static/stream-worker.js");
  const alive = setInterval(() => port.postMessage({ alive: true }), ALIVE_MS);
  port.onmessage = ({ data: { kind, data } }) =>
    data === undefined ? hear[kind]() : hear.event(kind, data);
  port.postMessage({ asked });
  return () => {
    clearInterval(alive);
    port.onmessage = null;
    port.postMessage({ asked: null });
  };
}

function own(asked, hear) {
  const source = new EventSource(`stream?${asked}`);
  source.onopen = () => hear.open();
  source.onerror = () => hear.error();
  for (const kind of ["view", "problems", "status"])
    source.addEventListener(kind, ({ data }) => hear.event(kind, data));
  return () => source.close();
}
