/** A person whom Rushes learns from pictures that are chosen, dropped or pasted. */
import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { api, ask, type Schemas } from "../../api/client";
import { Dialog } from "../../parts/dialog";
import { useDoing } from "../../parts/doing";
import { Failure } from "../../parts/notice";
import { type Picture, shrunk } from "../../search/asking/picture";
import { forgetFound } from "../../search/asking/results";
import { DropArea } from "../../search/box/drop";
import { says } from "../../words/people";
import { dir, load } from "../state/cast";
import { hrefToPerson, hrefToSearch } from "../state/places";

const MOST = 20; // pictures of one request
const LONGEST = 1600; // pixels: faces are large enough there

export function Enrol({ onClose }: { onClose: () => void }) {
  const learned = useSignal<Schemas["EnrolledPerson"] | null>(null);
  return (
    <Dialog title={says.enrol.title} onClose={onClose}>
      {learned.value ? (
        <Learned person={learned.value} again={() => (learned.value = null)} />
      ) : (
        <Form onLearned={(person) => (learned.value = person)} />
      )}
    </Dialog>
  );
}

function Form({ onLearned }: { onLearned: (person: Schemas["EnrolledPerson"]) => void }) {
  const name = useSignal("");
  const pictures = useSignal<Picture[]>([]);
  const fault = useSignal("");
  const { isBusy, error, run } = useDoing();
  const say = says.enrol;

  async function take(files: File[]): Promise<void> {
    fault.value = "";
    for (const file of files) {
      if (pictures.peek().length >= MOST) {
        fault.value = say.tooMany(MOST);
        return;
      }
      try {
        pictures.value = [...pictures.peek(), await shrunk(file, LONGEST)];
      } catch (failure) {
        if (!(failure instanceof DOMException)) throw failure; // that is how browsers say it
        fault.value = say.notPicture(file.name);
      }
    }
  }

  async function learn(): Promise<void> {
    fault.value = !name.value.trim() ? say.noName : pictures.value.length === 0 ? say.noPictures : "";
    if (fault.value) return;
    await run(async () => {
      const images = pictures.peek().map(({ base64 }) => base64);
      const body = { cache_dir: dir.peek(), name: name.peek().trim(), images };
      const person = await ask(api.POST("/faces/people", { body }));
      forgetFound();
      await load();
      onLearned(person);
    });
  }

  return (
    <form
      class="enrol"
      onSubmit={(event) => {
        event.preventDefault();
        void learn();
      }}
    >
      <p class="hint">{say.hint}</p>
      <label>
        {say.name}
        <input
          type="text"
          autofocus
          autocomplete="off"
          spellcheck={false}
          value={name}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
      </label>
      <Pictures pictures={pictures.value} onChange={(next) => (pictures.value = next)} />
      <Choose onFiles={(files) => void take(files)} />
      <p class="hint">{say.needs}</p>
      <p class="error" role="alert">
        {fault}
      </p>
      {error.value != null && <Failure error={error.value} />}
      <button type="submit" class="primary" disabled={isBusy}>
        {isBusy.value ? say.busy : say.start}
      </button>
      <DropArea text={say.letGo} onFiles={(files) => void take(files)} />
    </form>
  );
}

function Pictures({ pictures, onChange }: { pictures: Picture[]; onChange: (next: Picture[]) => void }) {
  return (
    <ul class="enrol-pictures">
      {pictures.map((picture, n) => (
        <li key={picture.url}>
          <img src={picture.url} alt={`${n + 1}. ${picture.name}`} />
          <button
            type="button"
            class="icon"
            aria-label={says.enrol.picture(picture.name)}
            onClick={() => onChange(pictures.filter((one) => one !== picture))}
          >
            ×
          </button>
        </li>
      ))}
    </ul>
  );
}

function Choose({ onFiles }: { onFiles: (files: File[]) => void }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <p>
      <button type="button" onClick={() => field.current?.click()}>
        {says.enrol.choose}
      </button>{" "}
      {says.enrol.drop}
      <input
        ref={field}
        type="file"
        hidden
        multiple
        accept="image/*"
        onChange={(event) => {
          onFiles([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = ""; // so that the same file can be chosen again
        }}
      />
    </p>
  );
}

function Learned({ person, again }: { person: Schemas["EnrolledPerson"]; again: () => void }) {
  const { message, name, collections } = person;
  return (
    <>
      <p role="status">{message}</p>
      {collections.length === 0 && <p>{says.enrol.nowhere}</p>}
      <ul>
        {collections.map(({ cluster_job_name: collection, cluster_ids, face_count }) => (
          <li key={collection}>
            <a href={hrefToPerson(dir.value, collection, cluster_ids[0] ?? "")}>
              {says.enrol.found(collection, face_count)}
            </a>{" "}
            <a href={hrefToSearch(dir.value, collection, name, true)}>{says.actions.search(name)}</a>
          </li>
        ))}
      </ul>
      <button type="button" onClick={again}>
        {says.enrol.another}
      </button>
    </>
  );
}
