/** A hit of any search, as the wall shows it. */
import type { Schemas } from "../../api/client";
import { secondsOf } from "../../parts/times";

export interface Hit {
  key: string;
  dir: string; // the cache folder in which it was found
  path: string;
  at: number; // seconds, as all times here
  from: number; // its scene
  to: number;
  cutStart?: number; // the same to the picture, where that is known
  cutEnd?: number;
  image?: string; // an address; `?second=N` shows another second of the scene
  strength?: Schemas["MatchStrength"] | "none"; // left out: nobody knows
  people: string[];
  unnamed: number; // people without a name
  isOffline: boolean;
  said?: string;
  speaker?: string; // by name where there is one, else S1 and so on
  kind?: Schemas["TranscriptMatch"]["kind"]; // left out: it was heard
  matchedBy?: Schemas["TranscriptMatchedBy"];
}

/** `isRanked`: what was looked for is a picture or words, so that its strength means something. */
export function seenHit(dir: string, match: Schemas["Match"], isRanked: boolean): Hit {
  const second = Number(match.frame_idx);
  const people = match.people ?? [];
  const names = people.flatMap(({ name }) => name ?? []);
  return {
    key: `${match.hash_str}-${second}`,
    dir,
    path: match.video_path,
    at: second,
    from: secondsOf(match.scene_start_timestamp) ?? second,
    to: secondsOf(match.scene_end_timestamp) ?? second,
    cutStart: match.cut_start_seconds ?? undefined,
    cutEnd: match.cut_end_seconds ?? undefined,
    image: match.image_url ?? undefined,
    strength: isRanked && match.score != null ? (match.strength ?? "none") : undefined,
    people: [...new Set(names)],
    unnamed: people.length - names.length,
    isOffline: match.online === false,
  };
}

export function saidHit(dir: string, match: Schemas["TranscriptMatch"]): Hit {
  return {
    key: [match.hash_str, match.start_seconds, match.kind].filter((part) => part != null).join("-"),
    dir,
    path: match.media_path,
    at: match.start_seconds,
    from: match.start_seconds,
    to: match.end_seconds,
    strength: match.score != null ? (match.strength ?? "none") : undefined,
    people: [],
    unnamed: 0,
    isOffline: match.online === false,
    said: match.text,
    speaker: match.speaker_name ?? match.speaker ?? undefined,
    kind: match.kind ?? undefined,
    matchedBy: match.matched_by ?? undefined,
  };
}

/** Up to `most` seconds of its scene, in equal steps. */
export function scrubSeconds({ from, to }: Hit, most = 12): number[] {
  const count = Math.min(most, Math.floor(to - from));
  return Array.from({ length: count }, (_, n) => from + Math.floor((n * (to - from)) / count));
}
