/** A name is typed where the face is. A name that somebody else has asks whether they are one. */
import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { says } from "../../words/people";
import { cast, type Cluster } from "../state/cast";
import { giveName, known, merge, message } from "../state/changes";
import { loadKnownNames, type Proposal, proposals } from "../state/known_names";
import { Combobox } from "./combobox";
import { isJoining } from "./draft";
import { SamePerson } from "./same_person";

interface NameFieldProps {
  ids: string[]; // all of them are called so
  name: string;
  draft?: Signal<string>; // what is typed outlives this field
  isAtEnd?: boolean; // it has room to the left only
  onEnd: (isLeft: boolean) => void; // `isLeft`: the focus is elsewhere, and stays there
}

export function NameField({ ids, name, draft, isAtEnd, onEnd }: NameFieldProps) {
  const own = useSignal(name);
  const typed = draft ?? own;
  const error = useSignal("");
  const twin = useSignal<Cluster | null>(null);
  const isBusy = useSignal(false);
  const knownEdit = useRef(known()); // what they see now is what they decide by
  const isGone = useRef(false);
  useEffect(() => {
    void loadKnownNames();
    return () => void (isGone.current = true);
  }, []);

  async function save(text: string): Promise<void> {
    if (isBusy.peek()) return;
    isBusy.value = true;
    error.value = "";
    const done = await giveName(ids, text, knownEdit.current, (refusal) => refused(text, refusal)).finally(
      () => (isBusy.value = false),
    );
    if (done) onEnd(false);
    else knownEdit.current = known(); // the next try knows of what others did
  }

  /** It is said here, where the name stands. */
  function refused(text: string, refusal: string): void {
    if (isGone.current) message.value = { text: says.naming.notSaved(text.trim(), refusal), isError: true };
    else error.value = refusal;
  }

  async function join(one: Cluster): Promise<void> {
    isJoining.value = true;
    try {
      const done = await merge(ids, one.id, knownEdit.current);
      twin.value = null;
      if (done) onEnd(false);
    } finally {
      isJoining.value = false;
    }
  }

  function enter(text: string): void {
    const next = text.trim();
    if (next === name) onEnd(false);
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
        isBegun={typed.peek() !== name}
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
        onEscape={() => onEnd(false)}
        onLeave={() => !twin.peek() && typed.peek().trim() === name && onEnd(true)}
      />
      <button type="button" disabled={isBusy} onClick={() => enter(typed.peek())}>
        {says.naming.save}
      </button>
      {twin.value && (
        <SamePerson
          one={twin.value}
          ids={ids}
          name={typed.value.trim()}
          onOne={join}
          onTwo={() => {
            twin.value = null;
            void save(typed.peek());
          }}
          onClose={() => (twin.value = null)}
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

