/** A field with a list of proposals below it. The focus stays in the field, which names the active one. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { words } from "../../words";

interface ComboboxProps<T> {
  label: string;
  list: string; // what the proposals are
  value: string;
  proposals: T[];
  shown: (proposal: T) => ComponentChildren;
  keyOf: (proposal: T) => string;
  error?: string;
  isBegun?: boolean; // what it begins with was typed before: the next letter is not to replace it
  isOpen?: boolean; // proposals are shown before anything is typed
  onInput: (text: string) => void;
  onTake: (proposal: T) => void;
  onEnter: () => void;
  onEscape: () => void;
  onLeave?: () => void;
}

export function Combobox<T>(props: ComboboxProps<T>) {
  const { label, value, proposals, error } = props;
  const field = useRef<HTMLInputElement>(null);
  const id = useId();
  const active = useSignal(-1);
  const isClosed = useSignal(!props.isOpen);
  const open = isClosed.value ? [] : proposals;
  // A passive effect would come after the first letters, and select them.
  useLayoutEffect(() => {
    field.current?.focus();
    if (!props.isBegun) field.current?.select();
  }, []);

  function take(proposal: T): void {
    active.value = -1;
    props.onTake(proposal);
  }

  function pressed(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const count = proposals.length + 1; // one place is the field itself
      active.value = isClosed.value ? (proposals.length > 0 ? 0 : -1) : ((active.value + 1 + step + count) % count) - 1;
      isClosed.value = false;
    } else if (event.key === "Enter") {
      const chosen = open[active.value];
      if (chosen) take(chosen);
      else props.onEnter();
    } else if (event.key === "Escape") {
      props.onEscape();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div class="combobox" onFocusOut={(event) => leaves(event) && props.onLeave?.()}>
      <input
        ref={field}
        type="text"
        role="combobox"
        aria-label={label}
        aria-expanded={open.length > 0}
        aria-controls={`${id}-list`}
        aria-autocomplete="list"
        aria-activedescendant={open[active.value] ? `${id}-${active.value}` : undefined}
        aria-invalid={Boolean(error)}
        aria-describedby={`${id}-error`}
        autocomplete="off"
        autofocus // in a dialog
        spellcheck={false}
        value={value}
        onInput={(event) => {
          props.onInput(event.currentTarget.value);
          active.value = -1;
          isClosed.value = false;
        }}
        onKeyDown={pressed}
      />
      {open.length > 0 && (
        <ul id={`${id}-list`} class="proposals" role="listbox" aria-label={props.list}>
          {open.map((proposal, n) => (
            <li
              key={props.keyOf(proposal)}
              id={`${id}-${n}`}
              role="option"
              aria-selected={n === active.value}
              // The field keeps the focus.
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => take(proposal)}
            >
              {props.shown(proposal)}
            </li>
          ))}
        </ul>
      )}
      <p id={`${id}-error`} class="error" role="alert">
        {error}
      </p>
      <span class="hidden" role="status">
        {open.length > 0 ? `${props.list}: ${words.number(open.length)}` : ""}
      </span>
    </div>
  );
}

/** Not where the window loses the focus: what was typed is to stay. */
function leaves({ relatedTarget, currentTarget }: FocusEvent): boolean {
  return relatedTarget instanceof Node && currentTarget instanceof Node && !currentTarget.contains(relatedTarget);
}
