/* One stream of each kind for all windows of a browser, which opens but six connections to a host.

   A window says {asked} to hear it, {asked: null} to leave, and {alive: true} now and then; it is
   told {kind: "open"}, {kind: "error"}, or an event, {kind, data}. */

const KINDS = ["view", "problems", "status"];
const FORGET_MS = 60_000; // a window that says nothing for so long has gone without a word

const streams = new Map(); // asked -> {source, ports, newest, open}
const heard = new Map(); // port -> {asked, at}

onconnect = ({ ports: [port] }) => {
  port.onmessage = ({ data }) => {
    const before = heard.get(port)?.asked ?? null;
    const asked = "asked" in data ? data.asked : before;
    heard.set(port, { asked, at: Date.now() });
    if ("asked" in data) leave(port, before);
    if ("asked" in data && asked !== null) join(port, asked);
    if (asked === null) heard.delete(port);
  };
};

function join(port, asked) {
  const stream = streams.get(asked) ?? begin(asked);
  stream.ports.add(port);
  if (stream.open) port.postMessage({ kind: "open" });
  for (const [kind, data] of stream.newest) port.postMessage({ kind, data });
}

function begin(asked) {
  const source = new EventSource(`../stream?${asked}`);
  const stream = { source, ports: new Set(), newest: new Map(), open: false };
  const tell = (message) => stream.ports.forEach((port) => port.postMessage(message));
  source.onopen = () => {
    stream.open = true;
    tell({ kind: "open" });
  };
  source.onerror = () => {
    end(asked, stream);
    tell({ kind: "error" });
  };
  for (const kind of KINDS) {
    source.addEventListener(kind, ({ data }) => {
      stream.newest.set(kind, data);
      tell({ kind, data });
    });
  }
  streams.set(asked, stream);
  return stream;
}

function leave(port, asked) {
  const stream = streams.get(asked);
  stream?.ports.delete(port);
  if (stream?.ports.size === 0) end(asked, stream);
}

function end(asked, stream) {
  stream.source.close();
  if (streams.get(asked) === stream) streams.delete(asked);
}

setInterval(() => {
  for (const [port, { asked, at }] of heard) {
    if (Date.now() - at < FORGET_MS) continue;
    leave(port, asked);
    heard.delete(port);
  }
}, FORGET_MS / 2);
