/** A dialog on top of everything, closed by Escape, its button, or a click beside it. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { words } from "../words";

interface DialogProps {
  title: string;
  onClose?: () => void; // left out: it cannot be closed
  children: ComponentChildren;
}

export function Dialog({ title, onClose, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    // The dialog is out of the page already: the browser no longer gives the focus back.
    return () => before instanceof HTMLElement && before.focus({ preventScroll: true });
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
