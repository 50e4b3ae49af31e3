/** What several sections of the server's page are made of. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { sentence } from "../api/client";
import { CopyButton } from "../parts/copy_button";
import { Dialog } from "../parts/dialog";
import { useDoing } from "../parts/doing";
import { held } from "../parts/held";
import { Failure } from "../parts/notice";
import { words } from "../words";
import { serverWords } from "../words/server";
import type { Polled } from "../parts/polling";

/** A sentence of the server. What it has in backquotes is a command, which can be copied. */
export function Said({ text }: { text: string }) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) return <>{text}</>; // one that is never closed
  return (
    <>
      {parts.map((part, place) => (place % 2 ? <Command key={place} text={part} /> : part))}
    </>
  );
}

export function Command({ text }: { text: string }) {
  return (
    <span class="command">
      <code>{text}</code>
      <CopyButton what={serverWords.copy} label={serverWords.copyOf(text)} text={text} />
    </span>
  );
}

interface ShownOnceProps {
  title: string;
  hint: string;
  name: string;
  text: string;
}

/**
 * Something secret that is shown this once, whichever page is gone to meanwhile. It closes by its
 * button alone: a slip of the hand would lose it.
 */
export function ShownOnce({ title, hint, name, text }: ShownOnceProps) {
  return (
    <div class="server">
      <Dialog title={title}>
        <p>{hint}</p>
        <div class="once">
          <input type="text" readonly aria-label={name} value={text} onFocus={(event) => event.currentTarget.select()} />
          <CopyButton what={serverWords.copy} text={text} />
        </div>
        <div class="buttons">
          <button type="button" class="primary" onClick={() => (held.value = null)}>
            {serverWords.kept}
          </button>
        </div>
      </Dialog>
    </div>
  );
}

export function Facts({ children }: { children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

export function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** What was asked for, once it is there; what went wrong, beside what was there before. */
export function Answered<T>({ of, children }: { of: Polled<T>; children: (data: T) => ComponentChildren }) {
  const { data, error, again } = of;
  return (
    <>
      {error != null && <Failure error={error} again={again} />}
      {error != null && data !== undefined && <p class="hint">{serverWords.stale}</p>}
      {data !== undefined && children(data)}
      {data === undefined && error == null && <p class="wait">{words.loading}</p>}
    </>
  );
}

interface AskFirstProps {
  title: string;
  button: string;
  isGood?: boolean; // it takes nothing away
  isBlocked?: boolean; // something is to be agreed to first
  act: () => Promise<unknown>; // the dialog closes after it
  onClose: () => void;
  children: ComponentChildren;
}

/** A dialog that says what something means before it is done. */
export function AskFirst({ title, button, isGood, isBlocked, act, onClose, children }: AskFirstProps) {
  const { isBusy, error, run } = useDoing();
  const isDone = useRef(false);
  // What the dialog was opened with may be gone then: the focus goes on from the title.
  useEffect(() => () => void (isDone.current && queueMicrotask(focusSection)), []);
  const doIt = async () => {
    await act();
    isDone.current = true;
    onClose();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      {children}
      {error.value != null && (
        <p class="error" role="alert">
          <Said text={sentence(error.value)} />
        </p>
      )}
      <div class="buttons">
        <button
          type="button"
          class={isGood ? "primary" : "danger"}
          disabled={isBusy.value || isBlocked}
          onClick={() => void run(doIt)}
        >
          {button}
        </button>
        <button type="button" onClick={onClose}>
          {words.cancel}
        </button>
      </div>
    </Dialog>
  );
}

/** To the title of the section: what had the focus is no more. */
export function focusSection(): void {
  document.getElementById("section-title")?.focus({ preventScroll: true });
}
