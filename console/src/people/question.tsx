/** What is asked before people are named or merged. */
import { Dialog } from "../parts/dialog";
import { says } from "../words/people";
import { PickPerson } from "./dialogs/pick_person";
import { NameField } from "./naming/name_field";
import { MergeNamed } from "./naming/same_person";
import { namesOf } from "./state/changes";

export type Asked =
  | { kind: "names"; ids: string[]; target: string; knownEdit: string } // they have different names
  | { kind: "pick"; ids: string[] } // with whom they are merged
  | { kind: "name"; ids: string[] }; // what they are called

interface QuestionProps {
  asked: Asked;
  onMerge: (target: string, ids: string[]) => void;
  onEnd: (isDone: boolean) => void;
}

export function Question({ asked, onMerge, onEnd }: QuestionProps) {
  if (asked.kind === "names") return <MergeNamed {...asked} onEnd={onEnd} />;
  if (asked.kind === "pick") {
    return (
      <PickPerson
        title={says.pick.mergeTitle}
        without={asked.ids}
        onClose={() => onEnd(false)}
        onPick={(target) => {
          onEnd(false);
          onMerge(target, asked.ids);
        }}
      />
    );
  }
  const names = namesOf(asked.ids);
  return (
    <Dialog title={says.naming.label} onClose={() => onEnd(false)}>
      <NameField ids={asked.ids} name={names.length === 1 ? (names[0] ?? "") : ""} onEnd={() => onEnd(false)} />
      <p class="hint">{says.naming.none}</p>
    </Dialog>
  );
}
