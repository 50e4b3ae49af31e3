/** The segments of a transcript, and the words in them. */
import type { Schemas } from "../api/client";

export interface Spoken {
  start: number; // seconds
  end: number;
  text: string;
}

export interface Segment extends Spoken {
  index: number;
  words: PlacedWord[];
  speaker?: string; // S1 and so on
  isDoubtful?: boolean; // it may be somebody else who speaks
}

/** A transcript, or a text that is in the file already. */
export type Text = Pick<Schemas["Transcription"], "segments"> &
  Partial<Pick<Schemas["Transcription"], "words" | "speakers" | "doubtful_speakers">>;

/** A word, and where it stands in the text of its segment. */
interface PlacedWord extends Spoken {
  from: number;
  to: number;
}

export function segmentsOf(spoken: Text): Segment[] {
  return (spoken.segments ?? []).map(([start, said, end], index) => {
    const text = String(said).trim();
    const words = placed(text, spoken.words?.[index] ?? []);
    const speaker = spoken.speakers?.[index] ?? undefined;
    const isDoubtful = spoken.doubtful_speakers?.[index] ?? false;
    return { index, start: Number(start), end: Number(end), text, words, speaker, isDoubtful };
  });
}

/** The words that are found in the text, in order. */
function placed(text: string, words: Schemas["TranscriptWord"][]): PlacedWord[] {
  let after = 0;
  return words.flatMap(([start, end, said]) => {
    const word = String(said).trim();
    const from = text.indexOf(word, after);
    if (!word || from < 0) return [];
    after = from + word.length;
    return [{ start: Number(start), end: Number(end), text: word, from, to: after }];
  });
}

/** The last one of `parts` that has begun; -1: none, or it has been over for a second. */
export function spokenAt(parts: Spoken[], seconds: number): number {
  const index = parts.findLastIndex(({ start }) => start <= seconds);
  const found = parts[index];
  return found && seconds < found.end + 1 ? index : -1;
}

/** What is said in a range: segments at its edges are cut there, by their words where they have some. */
export function cut(segments: Segment[], range: { start: number; end: number }): Spoken[] {
  const within = segments.filter(({ start, end }) => start < range.end && end > range.start);
  return within.flatMap((segment) => {
    const [start, end] = [Math.max(segment.start, range.start), Math.min(segment.end, range.end)];
    const isWhole = start === segment.start && end === segment.end;
    if (isWhole || segment.words.length === 0) return [{ start, end, text: segment.text }];
    const kept = segment.words.filter((word) => {
      const middle = (word.start + word.end) / 2;
      return middle >= range.start && middle < range.end;
    });
    if (kept.length === 0) return [];
    // With what stands between the words, and behind the last one.
    const next = segment.words[segment.words.indexOf(kept.at(-1)!) + 1]?.from;
    return [{ start, end, text: segment.text.slice(kept[0]!.from, next).trim() }];
  });
}
