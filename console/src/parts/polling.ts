/** Data that changes by itself: asked for again every few seconds while the page is seen. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { session } from "../api/session";

export interface Polling {
  now: () => void; // also where it is asked already: once more after that
  end: () => void;
}

/** From the first `now` on. `pause`: milliseconds from an answer until it is asked for again. */
export function poll(look: (signal: AbortSignal) => Promise<unknown>, pause: () => number): Polling {
  const abort = new AbortController();
  let timer = 0;
  let isAsking = false;
  let isOld = false; // something happened while it was asked
  const settle = () => {
    isAsking = false;
    if (abort.signal.aborted) return;
    if (isOld) now();
    else timer = window.setTimeout(now, pause());
  };
  const now = () => {
    window.clearTimeout(timer);
    if (abort.signal.aborted || document.hidden) return; // asked for when it is seen again
    isOld = isAsking;
    if (isAsking) return;
    if (!session.peek()) {
      timer = window.setTimeout(now, pause()); // somebody is to sign in first
      return;
    }
    isAsking = true;
    look(abort.signal).then(settle, settle);
  };
  document.addEventListener("visibilitychange", now);
  const end = () => {
    document.removeEventListener("visibilitychange", now);
    window.clearTimeout(timer);
    abort.abort();
  };
  return { now, end };
}

export interface Polled<T> {
  data?: T; // stays while it is asked for again, and when that fails
  error?: unknown;
  again: () => void;
}

/** What `load` gives, while this part of the page is shown. `pause`: by what came last. */
export function usePolled<T>(
  load: (signal: AbortSignal) => Promise<T>,
  pause: (data?: T) => number,
): Polled<T> {
  const state = useSignal<{ data?: T; error?: unknown }>({});
  const polling = useRef<Polling | null>(null);
  useEffect(() => {
    const look = async (signal: AbortSignal) => {
      const found = await load(signal).then(
        (data) => ({ data }),
        (error: unknown) => ({ data: state.peek().data, error }),
      );
      if (!signal.aborted) state.value = found;
    };
    const { now, end } = (polling.current = poll(look, () => pause(state.peek().data)));
    now();
    return end;
  }, []);
  return { ...state.value, again: () => polling.current?.now() };
}
