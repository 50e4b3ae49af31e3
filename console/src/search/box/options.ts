/** What the box suggests for what was typed. */
import { peopleLike, speakersLike } from "../asking/people";
import { choose, isSame, query } from "../asking/query";
import { words } from "../../words";
import { typed } from "./typed";

export interface Option {
  label: string;
  kind: "person" | "speaker" | "said";
  choose: () => void;
}

const MOST_PEOPLE = 6;

export function options(): Option[] {
  const text = typed.value.trim();
  if (!text) return [];
  const people = peopleLike(typed.value).slice(0, MOST_PEOPLE);
  const speakers = speakersLike(typed.value).slice(0, MOST_PEOPLE);
  return [
    ...people.map(({ person, rest }) => ({
      label: person.name,
      kind: "person" as const,
      choose: () => {
        const others = query.peek().people.filter((one) => !isSame(one, person));
        take(rest, { people: [...others, person] });
      },
    })),
    ...speakers.map(({ name, rest }) => ({
      label: words.search.speaks(name),
      kind: "speaker" as const,
      choose: () => take(rest, { speaker: name }),
    })),
    {
      label: words.search.said(text),
      kind: "said",
      choose: () => take("", { said: text }),
    },
  ];
}

function take(rest: string, changes: Parameters<typeof choose>[0]): void {
  typed.value = rest;
  choose({ ...changes, words: rest });
}
