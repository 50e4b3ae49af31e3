/** Which parts are analyzed: pictures, speech in a language, faces of a collection. */
import { useId } from "preact/hooks";
import { api, ask } from "../../api/client";
import { may } from "../../api/session";
import { useLoad } from "../../parts/load";
import { Select } from "../../parts/select";
import { words } from "../../words";
import { work } from "../../words/work";
import { libraries } from "./libraries";

const says = work.analyze;

/** Whether speakers are told apart; "": as the server is set. */
export type Speakers = keyof typeof says.speakers;

export interface Parts {
  pictures: boolean;
  speech: boolean;
  language: string; // "": it is found out
  speakers?: Speakers; // left out: it is not to be chosen
  faces: boolean;
  collection: string;
}

interface PartsFieldsProps {
  parts: Parts;
  library: string;
  onChange: (changes: Partial<Parts>) => void;
}

/** What is missing, as a sentence; "": nothing. */
export function lacking({ pictures, speech, faces, collection }: Parts): string {
  if (!pictures && !speech && !faces) return says.nothingAsked;
  return faces && !collection.trim() ? says.noCollection : "";
}

/** Faces need one; voices that are told apart can be named in one. */
export function takesCollection({ faces, speech, speakers }: Parts): boolean {
  return faces || (speech && speakers !== undefined && speakers !== "no");
}

export function PartsFields({ parts, library, onChange }: PartsFieldsProps) {
  const check = (name: "pictures" | "speech" | "faces") => (
    <label class="check">
      <input
        type="checkbox"
        checked={parts[name]}
        onChange={(event) => onChange({ [name]: event.currentTarget.checked })}
      />
      {says[name]}
    </label>
  );
  return (
    <>
      {check("pictures")}
      {check("speech")}
      {parts.speech && (
        <>
          <Language value={parts.language} onInput={(language) => onChange({ language })} />
          {parts.speakers !== undefined && (
            <Select label={says.whoSpeaks} options={says.speakers} value={parts.speakers} onChange={(speakers) => onChange({ speakers })} />
          )}
        </>
      )}
      {check("faces")}
      {takesCollection(parts) && (
        <Collection
          value={parts.collection}
          library={library}
          onInput={(collection) => onChange({ collection })}
        />
      )}
    </>
  );
}

interface TextProps {
  value: string;
  onInput: (value: string) => void;
}

function Language({ value, onInput }: TextProps) {
  const list = useId();
  return (
    <label>
      {says.language}
      <input
        type="text"
        list={list}
        value={value}
        placeholder={says.detect}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <datalist id={list}>
        {words.search.filters.languages.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </label>
  );
}

function Collection({ value, library, onInput }: TextProps & { library: string }) {
  const list = useId();
  const isKnown = libraries.value.some(({ cache_dir }) => cache_dir === library);
  const known = useLoad(isKnown ? library : "", (signal) => collectionsOf(isKnown ? library : "", signal));
  return (
    <label>
      {says.collection}
      <input
        type="text"
        list={list}
        value={value}
        placeholder={says.collectionExample}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <datalist id={list}>
        {known.data?.map((one) => <option key={one} value={one} />)}
      </datalist>
      <span class="hint">{says.collectionHint}</span>
    </label>
  );
}

async function collectionsOf(library: string, signal: AbortSignal): Promise<string[]> {
  if (!library || !may("search")) return [];
  const params = { query: { cache_dir: library } };
  const { cluster_jobs } = await ask(api.GET("/faces/clusters", { params, signal }));
  return cluster_jobs.map(({ cluster_job_name }) => cluster_job_name);
}
