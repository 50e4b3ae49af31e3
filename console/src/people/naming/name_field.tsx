/** A name is typed where the face is. A name that somebody else has asks whether they are one. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { says } from "../../words/people";
import { cast, type Cluster } from "../state/cast";
import { giveName, known, message } from "../state/changes";
import { loadKnownNames, type Proposal, proposals } from "../state/known_names";
import { Combobox } from "./combobox";
import { SamePerson } from "./same_person";

interface NameFieldProps {
  ids: string[]; // all of them are called so
  name: string;
  isAtEnd?: boolean; // it has room to the left only
  onEnd: () => void;
}

export function NameField({ ids, name, isAtEnd, onEnd }: NameFieldProps) {
  const typed = useSignal(name);
  const error = useSignal("");
  const twin = useSignal<Cluster | null>(null);
  const isBusy = useSignal(false);
  const knownEdit = useRef(known()); // what they see now is what they decide by
  useEffect(() => void loadKnownNames(), []);

  async function save(text: string): Promise<void> {
    if (isBusy.peek()) return;
    isBusy.value = true;
    error.value = "";
    const done = await giveName(ids, text, knownEdit.current).finally(() => (isBusy.value = false));
    if (done) {
      onEnd();
      return;
    }
    // It is said here, where the name stands; the next try knows of what others did.
    knownEdit.current = known();
    error.value = message.peek()?.text ?? "";
    message.value = null;
  }

  function enter(text: string): void {
    const next = text.trim();
    if (next === name) onEnd();
    else {
      twin.value = next ? (twinOf(next, ids) ?? null) : null;
      if (!twin.value) void save(text);
    }
  }

  function take({ name: chosen }: Proposal): void {
    typed.value = chosen;
    enter(chosen);
  }

  return (
    <div class={isAtEnd ? "naming at-end" : "naming"}>
      <Combobox
        label={name ? says.actions.nameOf(name) : says.naming.label}
        list={says.naming.suggestions}
        value={typed.value}
        proposals={proposals(typed.value)}
        keyOf={(one) => one.name}
        shown={(one) => (
          <>
            <strong>{one.name}</strong> <span class="hint">{one.about}</span>
          </>
        )}
        error={error.value}
        onInput={(text) => (typed.value = text)}
        onTake={take}
        onEnter={() => enter(typed.peek())}
        onEscape={onEnd}
        onLeave={() => !twin.peek() && typed.peek().trim() === name && onEnd()}
      />
      <button type="button" disabled={isBusy} onClick={() => enter(typed.peek())}>
        {says.naming.save}
      </button>
      {twin.value && (
        <SamePerson
          one={twin.value}
          ids={ids}
          name={typed.value.trim()}
          knownEdit={knownEdit.current}
          onTwo={() => {
            twin.value = null;
            void save(typed.peek());
          }}
          onEnd={(isDone) => {
            twin.value = null;
            if (isDone) onEnd();
          }}
        />
      )}
    </div>
  );
}

/** Somebody else of the collection who is called so. */
function twinOf(name: string, ids: string[]): Cluster | undefined {
  const wanted = name.normalize("NFC");
  const all = cast.peek()?.people ?? [];
  return all.find((one) => one.name === wanted && !ids.includes(one.id));
}

