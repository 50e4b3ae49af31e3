/** Socket.IO: progress of tasks. It comes back by itself after the server was away. */
import { signal } from "@preact/signals";
import type { Socket } from "socket.io-client";
import { home, type Schemas } from "./client";
import { look, session } from "./session";

export type Progress = Schemas["TaskProgress"];
type Listener = (progress: Progress) => void;

export const isLive = signal(false);
/** Counts connections: what was loaded before the last one may be old. */
export const connections = signal(0);

const rooms = new Map<string, Set<Listener>>();
let socket: Socket | undefined;
const AGAIN_MS = 3000;

/** Connect while somebody is signed in. The library is loaded beside the first view. */
export function followSession(): void {
  session.subscribe((who) => {
    if (who) void connect();
    else disconnect();
  });
}

async function connect(): Promise<void> {
  if (socket) return;
  const { io } = await import("socket.io-client");
  if (socket || !session.peek()) return;
  socket = io(home.origin, {
    path: new URL("socket.io/", home).pathname,
    transports: ["websocket"], // it sends its Origin, without which the session does not count
    reconnectionDelayMax: AGAIN_MS,
  });
  socket.on("connect", () => {
    isLive.value = true;
    connections.value += 1;
    for (const room of rooms.keys()) socket?.emit("join", room);
  });
  socket.on("disconnect", (reason) => {
    isLive.value = false;
    if (reason === "io server disconnect") again();
  });
  // A refusal ends the library's own tries. The server may just have come up before its Redis.
  socket.on("connect_error", () => socket?.active || again());
  socket.on("progress", (progress: Progress) => {
    rooms.get(progress.task_id)?.forEach((listener) => listener(progress));
  });
}

/** A session that is over shows the sign-in, which ends this. */
function again(): void {
  setTimeout(() => {
    look()
      .catch(() => undefined)
      .finally(() => socket?.connect());
  }, AGAIN_MS);
}

function disconnect(): void {
  socket?.close();
  socket = undefined;
  isLive.value = false;
}

/** Hear of a task until the returned function is called; its latest state comes at once. */
export function follow(taskId: string, listener: Listener): () => void {
  const listeners = rooms.get(taskId) ?? new Set();
  rooms.set(taskId, listeners.add(listener));
  if (socket?.connected) socket.emit("join", taskId);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    rooms.delete(taskId);
    if (socket?.connected) socket.emit("leave", taskId);
  };
}
