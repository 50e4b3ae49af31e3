/** Who speaks in a file: by name where there is one, else S1, S2 and so on by first appearance. */
import type { Schemas } from "../../api/client";

export interface Speaker {
  label: string; // S1 and so on
  name: string; // what they are called here
  isNamed: boolean;
  seconds: number;
  mark: number; // which colour
  cluster: string; // the person; "": the voice is in no collection
  collection: string;
}

const MARKS = 8; // colours in player.css

/** By label, in the order in which they first speak. */
export function speakersOf(spoken: Schemas["Transcription"]): ReadonlyMap<string, Speaker> {
  const voices = new Map(spoken.voices?.map((one) => [one.speaker, one]));
  const labels = new Set([...voices.keys(), ...(spoken.speakers ?? []).filter((label) => label !== null)]);
  return new Map([...labels].map((label, n) => [label, speakerOf(label, n, voices.get(label))]));
}

function speakerOf(label: string, n: number, voice?: Schemas["TranscriptVoice"]): Speaker {
  return {
    label,
    name: voice?.name || label,
    isNamed: Boolean(voice?.name),
    seconds: voice?.seconds ?? 0,
    mark: n % MARKS,
    cluster: voice?.cluster_id ?? "",
    collection: voice?.cluster_job_name ?? "",
  };
}
