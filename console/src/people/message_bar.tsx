/** What became of the last change, and the way back. It stays until the next one. */
import type { RefObject } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { words } from "../words";
import { says } from "../words/people";
import { isChanging, message, redo, undo } from "./state/changes";

export function MessageBar() {
  const shown = message.value;
  const bar = useRef<HTMLDivElement>(null);
  useHeight(bar);
  const { actions } = says;
  return (
    <div ref={bar} class={shown?.isError ? "message-bar failed" : "message-bar"} hidden={!shown}>
      <p role="status">{shown && !shown.isError && shown.text}</p>
      <p role="alert">{shown?.isError && shown.text}</p>
      {shown?.link && <a href={shown.link.href}>{shown.link.text}</a>}
      {shown?.made && (
        <button type="button" disabled={isChanging} onClick={() => void undo(shown.made ?? undefined)}>
          {actions.undo}
        </button>
      )}
      {shown?.redo && (
        <button type="button" disabled={isChanging} onClick={redo}>
          {actions.redo}
        </button>
      )}
      {shown && (
        <button type="button" class="icon" aria-label={actions.close} title={words.close} onClick={() => (message.value = null)}>
          ×
        </button>
      )}
    </div>
  );
}

/** Styles know how high it is: what else stays at the bottom stands above it. */
function useHeight(bar: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const { style } = document.documentElement;
    const observer = new ResizeObserver(() => style.setProperty("--message", `${bar.current?.offsetHeight ?? 0}px`));
    if (bar.current) observer.observe(bar.current);
    return () => observer.disconnect();
  }, []);
}
