/** One person of the collection, chosen by typing; or, where that makes sense, a new one. */
import { useSignal } from "@preact/signals";
import { Dialog } from "../../parts/dialog";
import { words } from "../../words";
import { says } from "../../words/people";
import { Face } from "../grid/face";
import { Combobox } from "../naming/combobox";
import { cast, type Cluster } from "../state/cast";
import { wantPictures } from "../state/face_pictures";
import { beginsWith } from "../state/known_names";
import { useEffect } from "preact/hooks";

interface PickPersonProps {
  title: string;
  without: string[]; // ids of who cannot be chosen
  onPick: (id: string) => void;
  onNew?: (name: string) => void; // left out: nobody new
  onClose: () => void;
}

type Option = Cluster | { newName: string };
const MOST = 8;

export function PickPerson({ title, without, onPick, onNew, onClose }: PickPersonProps) {
  const typed = useSignal("");
  const error = useSignal("");
  const people = found(typed.value, without);
  const options: Option[] = [...people, ...(onNew ? [{ newName: typed.value.trim() }] : [])];
  const key = people.map(({ id }) => id).join();
  useEffect(() => {
    wantPictures("pick", people);
    return () => wantPictures("pick", []);
  }, [key]);

  function take(option?: Option): void {
    if (!option) error.value = says.pick.none;
    else if ("newName" in option) onNew?.(option.newName);
    else onPick(option.id);
  }

  function enter(): void {
    const name = typed.value.trim();
    const exact = people.filter((one) => one.name === name);
    take(exact.length === 1 || !onNew ? (exact[0] ?? people[0]) : options.at(-1));
  }

  return (
    <Dialog title={title} onClose={onClose}>
      <div class="picking">
        <Combobox
          label={says.pick.label}
          list={says.pick.people}
          isOpen
          value={typed.value}
          proposals={options}
          keyOf={(one) => ("newName" in one ? "" : one.id)}
          shown={(one) => ("newName" in one ? <New name={one.newName} /> : <Person person={one} />)}
          error={error.value}
          onInput={(text) => {
            typed.value = text;
            error.value = "";
          }}
          onTake={take}
          onEnter={enter}
          onEscape={onClose}
        />
      </div>
      <button type="button" onClick={onClose}>
        {words.cancel}
      </button>
    </Dialog>
  );
}

function New({ name }: { name: string }) {
  return <>{name ? says.pick.newPerson(name) : says.pick.newUnnamed}</>;
}

function Person({ person }: { person: Cluster }) {
  return (
    <>
      <Face person={person} />
      <strong>{person.name || says.unnamed}</strong>{" "}
      <span class="hint">{says.facts(person)}</span>
    </>
  );
}

/** Those with names first, then those who are seen longest. */
function found(typed: string, without: string[]): Cluster[] {
  const text = typed.trim();
  const others = (cast.value?.people ?? []).filter(({ id }) => !without.includes(id));
  const fitting = text ? others.filter(({ name }) => name && beginsWith(name, text)) : others;
  const isNamed = ({ name }: Cluster) => Number(name !== "");
  return fitting.sort((one, other) => isNamed(other) - isNamed(one) || other.seconds - one.seconds).slice(0, MOST);
}
