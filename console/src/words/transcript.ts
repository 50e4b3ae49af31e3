/** Every word of the transcript beside the player. */
import { words } from ".";

const { number } = words;

const length = (seconds: number): string => {
  const all = Math.max(1, Math.round(seconds));
  return all < 60 ? `${all} s` : `${Math.floor(all / 60)} min ${all % 60} s`;
};

export const says = {
  title: "Transcript",
  nothingSaid: "Nothing is said in this file.",
  find: "Find in the transcript",
  found: (found: number, all: number) => `${number(found)} of ${number(all)}`,
  followAgain: "Follow the playing",

  texts: "What is shown",
  heard: "What was heard",
  track: (kind: string, language: string, ...more: string[]) =>
    [TRACKS[kind] ?? kind, language && languageOf(language), ...more].filter(Boolean).join(" · "),

  speakers: "Who speaks",
  length,
  sure: (name: string) => `Said by ${name}`,
  doubtful: "doubtful",
  doubt: (name: string) => `Said by ${name}, or by somebody else: it is short, two are as likely, or they speak at once`,

  who: {
    title: (label: string) => `Who is ${label}?`,
    titleNamed: (name: string) => `Is this ${name}?`,
    hint: "The name goes to this voice in every file in which it was recognised, and search finds it.",
    known: "This is somebody I know …",
    knownTitle: (label: string) => `Whose voice is ${label}?`,
    other: (name: string, isNamed: boolean) => (isNamed ? `Not ${name}: somebody else` : "Not who is heard in the other files"),
    open: "All voices and faces of this person",
    lacks: "This voice is in no collection of people yet, so it cannot be named. Analyze the file with a collection, or group the people of its collection anew.",
    gone: "This voice is not in its collection any more. Load the page again.",
  },
};

const TRACKS: Record<string, string> = { subtitles: "Subtitles", captions: "Captions" };
const languages = new Intl.DisplayNames("en", { type: "language" });

/** In words where the file names it by a code. */
function languageOf(stated: string): string {
  try {
    return languages.of(stated) ?? stated;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return stated;
  }
}
