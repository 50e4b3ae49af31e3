/** Two who have one name, or are about to become one: asked once, with their faces side by side. */
import { useEffect } from "preact/hooks";
import { Dialog } from "../../parts/dialog";
import { useDoing } from "../../parts/doing";
import { says } from "../../words/people";
import { Face } from "../grid/face";
import { byId, type Cluster } from "../state/cast";
import { merge, namesOf } from "../state/changes";
import { wantPictures } from "../state/face_pictures";

interface SamePersonProps {
  one: Cluster; // who has the name already
  ids: string[]; // who is to get it
  name: string;
  onOne: (one: Cluster) => Promise<void>;
  onTwo: () => void;
  onClose: () => void;
}

export function SamePerson({ one, ids, name, onOne, onTwo, onClose }: SamePersonProps) {
  const { isBusy, run } = useDoing();
  const yes = () => run(() => onOne(one));
  return (
    <Dialog title={says.one.title(name)} onClose={onClose}>
      <p>{says.one.text(name)}</p>
      <Pair people={[one.id, ...ids]} />
      <div class="choices">
        <button type="button" class="primary" disabled={isBusy} onClick={() => void yes()}>
          {says.one.yes}
        </button>
        <button type="button" onClick={onTwo}>
          {says.one.no(name)}
        </button>
      </div>
    </Dialog>
  );
}

interface MergeNamedProps {
  ids: string[];
  target: string;
  knownEdit: string;
  onEnd: (isDone: boolean) => void;
}

/** Before people of different names become one. */
export function MergeNamed({ ids, target, knownEdit, onEnd }: MergeNamedProps) {
  const { isBusy, run } = useDoing();
  const [kept = "", other = ""] = namesOf([target, ...ids]);
  const yes = () =>
    run(async () => {
      onEnd(await merge(ids, target, knownEdit));
    });
  return (
    <Dialog title={says.one.mergeTitle(other, kept)} onClose={() => onEnd(false)}>
      <p>{says.one.mergeText(kept)}</p>
      <Pair people={[target, ...ids.filter((id) => id !== target)]} />
      <div class="choices">
        <button type="button" class="primary" disabled={isBusy} onClick={() => void yes()}>
          {says.one.mergeYes(kept)}
        </button>
      </div>
    </Dialog>
  );
}

const MOST = 6; // faces that are shown

function Pair({ people }: { people: string[] }) {
  const shown = people.slice(0, MOST).flatMap((id) => byId.value.get(id) ?? []);
  const key = shown.map(({ id }) => id).join();
  useEffect(() => {
    wantPictures("pair", shown);
    return () => wantPictures("pair", []);
  }, [key]);
  return (
    <ul class="pair">
      {shown.map((person) => (
        <li key={person.id}>
          <Face person={person} />
          <span>{person.name || says.unnamed}</span>
          <span class="hint">{says.amount(person)}</span>
        </li>
      ))}
    </ul>
  );
}
