/** A dialog on top of everything, closed by Escape, its button, or a click beside it. */
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { words } from "../words";

interface DialogProps {
  title: string;
  onClose?: () => void; // left out: it cannot be closed
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  // A passive effect would end after the next picture, and take the focus from who presses Tab.
  useLayoutEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    return () => shown?.close(); // gives the focus back
  }, []);
  return (
    <dialog
      ref={dialog}
      class="modal"
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      // Browsers close it at a second Escape whatever is said.
      onClose={() => dialog.current && (onClose ? onClose() : dialog.current.showModal())}
      onMouseDown={(event) => event.target === dialog.current && onClose?.()}
    >
      <header>
        <h2 id={id}>{title}</h2>
        {onClose && (
          <button type="button" class="icon" aria-label={words.close} onClick={onClose}>
            ×
          </button>
        )}
      </header>
      <div class="body">{children}</div>
    </dialog>
  );
}
