/** Whose voice it is: a name, somebody of the collection, or somebody else than was thought. */
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, ask } from "../../api/client";
import { Dialog } from "../../parts/dialog";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { PickPerson } from "../../people/dialogs/pick_person";
import { NameField } from "../../people/naming/name_field";
import { MergeNamed } from "../../people/naming/same_person";
import { byId, castsError, type Cluster, load, lookedAt } from "../../people/state/cast";
import { isChanging, known, merge, move, namesOf } from "../../people/state/changes";
import { hrefToPerson } from "../../people/state/places";
import { words } from "../../words";
import { says } from "../../words/transcript";
import type { Viewing } from "../viewing";
import type { Speaker } from "./speakers";

interface NamingProps {
  viewing: Viewing;
  speaker: Speaker;
  onClose: () => void;
}

export function Naming(props: NamingProps) {
  const { speaker, onClose } = props;
  const { collection, cluster, name, isNamed } = speaker;
  const isLoaded = useSignal(false);
  useEffect(() => {
    if (!collection) return;
    lookedAt.value = collection;
    void load().finally(() => (isLoaded.value = true));
  }, []);
  const person = byId.value.get(cluster);
  if (cluster && person && lookedAt.value === collection) return <Known {...props} person={person} />;
  return (
    <Dialog title={isNamed ? says.who.titleNamed(name) : says.who.title(name)} onClose={onClose}>
      <Unknown isLoaded={isLoaded.value} cluster={cluster} />
    </Dialog>
  );
}

function Unknown({ isLoaded, cluster }: { isLoaded: boolean; cluster: string }) {
  if (!cluster) return <p>{says.who.lacks}</p>;
  if (castsError.value != null) return <Failure error={castsError.value} again={() => void load()} />;
  return <p role="status">{isLoaded ? says.who.gone : words.loading}</p>;
}

type Step = { kind: "name" } | { kind: "pick" } | { kind: "merge"; target: string; knownEdit: string };

function Known({ viewing, speaker, person, onClose }: NamingProps & { person: Cluster }) {
  const step = useSignal<Step>({ kind: "name" });
  const { id, name } = person;

  function isKnown(target: string): void {
    if (namesOf([target, id]).length > 1) step.value = { kind: "merge", target, knownEdit: known() };
    else void merge([id], target).then(onClose);
  }

  if (step.value.kind === "merge") return <MergeNamed ids={[id]} {...step.value} onEnd={onClose} />;
  if (step.value.kind === "pick") {
    return <PickPerson title={says.who.knownTitle(speaker.name)} without={[id]} onPick={isKnown} onClose={onClose} />;
  }
  const isMore = person.faces > 0 || person.voices > 1;
  return (
    <Dialog title={name ? says.who.titleNamed(name) : says.who.title(speaker.name)} onClose={onClose}>
      <NameField ids={[id]} name={name} onEnd={(isLeft) => isLeft || onClose()} />
      <p class="hint">{says.who.hint}</p>
      <div class="choices">
        <button type="button" onClick={() => (step.value = { kind: "pick" })}>
          {says.who.known}
        </button>
        {isMore && <Other viewing={viewing} speaker={speaker} onDone={onClose} />}
      </div>
      <a href={`${hrefToPerson(viewing.cacheDir, speaker.collection, id)}&tab=voices`}>{says.who.open}</a>
    </Dialog>
  );
}

/** Takes this voice out of the person, who keeps all else. */
function Other({ viewing, speaker, onDone }: { viewing: Viewing; speaker: Speaker; onDone: () => void }) {
  const { isBusy, error, run } = useDoing();
  const part = () =>
    run(async () => {
      const body = { cache_dir: viewing.cacheDir, cluster_job_name: speaker.collection, media_path: viewing.mediaPath };
      const { speakers } = await ask(api.POST("/faces/voices/of", { body }));
      const voice = speakers.find((one) => one.speaker === speaker.label);
      if (!voice?.voice_id) throw new Error(says.who.gone);
      if (await move({ voice_ids: [voice.voice_id] }, null, "", known)) onDone();
    });
  return (
    <>
      <button type="button" disabled={isBusy.value || isChanging.value} onClick={() => void part()}>
        {says.who.other(speaker.name, speaker.isNamed)}
      </button>
      {error.value != null && <Failure error={error.value} />}
    </>
  );
}
