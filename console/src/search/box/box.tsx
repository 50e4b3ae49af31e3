/** The one box: words, people, what is said, and a picture, in any combination. */
import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { picture, pictureError, takePicture } from "../asking/picture";
import { choose, query } from "../asking/query";
import { isNothing } from "../asking/request";
import { asked } from "../asking/results";
import { route } from "../../route";
import { words } from "../../words";
import { Chips, removeLast } from "./chips";
import { DropArea } from "./drop";
import { type Option, options } from "./options";
import { Suggestions } from "./suggestions";
import { enter, flush, input, typed } from "./typed";

export function Box() {
  const field = useRef<HTMLInputElement>(null);
  const list = useId();
  const isOpen = useSignal(false);
  const active = useSignal(-1);
  const shown = isOpen.value ? options() : [];

  useEffect(() => {
    // Not where a keyboard would cover half of the screen.
    const isBlank = isNothing(asked.peek()) && !route.peek().params.has("play");
    if (isBlank && matchMedia("(hover: hover)").matches) field.current?.focus();
  }, []);

  function close(): void {
    isOpen.value = false;
    active.value = -1;
  }

  function take(option: Option): void {
    option.choose();
    close();
    field.current?.focus();
  }

  function pressed(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options().length > 0) {
      event.preventDefault();
      const count = options().length + 1; // one place is the box itself
      active.value = isOpen.value ? ((active.value + 1 + step + count) % count) - 1 : -1;
      isOpen.value = true;
    } else if (event.key === "Enter") {
      event.preventDefault();
      const option = shown[active.value];
      if (option) take(option);
      else enter();
      close();
    } else if (event.key === "Escape") {
      event.preventDefault();
      if (shown.length > 0) close();
      else field.current?.blur(); // the keys of the page work again
    } else if (event.key === "Backspace" && !typed.value && removeLast()) {
      event.preventDefault();
    }
  }

  return (
    <form
      class="search-box"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        enter();
        close();
      }}
    >
      <div class="field" onClick={(event) => event.target === event.currentTarget && field.current?.focus()}>
        <Chips />
        <input
          ref={field}
          id="search-words"
          type="text"
          role="combobox"
          aria-label={words.search.label}
          aria-expanded={shown.length > 0}
          aria-controls={list}
          aria-autocomplete="list"
          aria-activedescendant={shown[active.value] ? `${list}-${active.value}` : undefined}
          autocomplete="off"
          spellcheck={false}
          enterkeyhint="search"
          maxLength={10000}
          placeholder={words.search.placeholder}
          value={typed}
          onInput={(event) => {
            input(event.currentTarget.value);
            active.value = -1;
            isOpen.value = true;
          }}
          onKeyDown={pressed}
          onBlur={() => {
            flush();
            close();
          }}
        />
        <FileButton />
        {(typed.value || !isNothing(asked.value)) && (
          <button
            type="button"
            class="icon"
            aria-label={words.search.clear}
            title={words.search.clear}
            onClick={() => clear(field.current)}
          >
            ×
          </button>
        )}
      </div>
      {shown.length > 0 && (
        <Suggestions id={list} options={shown} active={active.value} onChoose={take} />
      )}
      {pictureError.value && (
        <p class="error" role="alert">
          {pictureError}
        </p>
      )}
      <DropArea onFiles={(files) => void takeFiles(files)} />
    </form>
  );
}

function FileButton() {
  const chosen = useRef<HTMLInputElement>(null);
  return (
    <>
      <button
        type="button"
        class="icon"
        aria-label={words.search.choosePicture}
        title={words.search.choosePicture}
        onClick={() => chosen.current?.click()}
      >
        <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">
          <path d="M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 6M16 9h.01" />
        </svg>
      </button>
      <input
        ref={chosen}
        type="file"
        hidden
        accept="image/*"
        onChange={(event) => {
          void takeFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = ""; // so that the same file can be chosen again
        }}
      />
    </>
  );
}

async function takeFiles(files: File[]): Promise<void> {
  await takePicture(files);
  if (picture.peek() && query.peek().like) choose({ like: null });
}

function clear(field: HTMLInputElement | null): void {
  typed.value = "";
  picture.value = null;
  choose({ words: "", said: "", people: [], speaker: "", like: null });
  field?.focus();
}
