/** What is searched besides words: a picture, a moment of a file, people, what is said. */
import { picture } from "../asking/picture";
import { choose, query } from "../asking/query";
import { fileName, timeText } from "../../parts/times";
import { words } from "../../words";

interface ChipProps {
  key?: string;
  label: string;
  title?: string;
  image?: string;
  remove: () => void;
}

interface Part extends ChipProps {
  key: string;
}

export function Chip({ label, title, image, remove }: ChipProps) {
  return (
    <span class="chip" title={title}>
      {image && <img src={image} alt="" height="28" />}
      <span class="text">{label}</span>
      <button type="button" aria-label={words.search.remove(label)} onClick={remove}>
        ×
      </button>
    </span>
  );
}

export function Chips() {
  return chips().map(({ key, ...chip }) => <Chip key={key} {...chip} />);
}

/** Whether there was one. */
export function removeLast(): boolean {
  const last = chips().at(-1);
  last?.remove();
  return last !== undefined;
}

function chips(): Part[] {
  const { like, people, said, speaker } = query.value;
  const parts: Part[] = [];
  if (picture.value) {
    const { name, url } = picture.value;
    const remove = () => (picture.value = null);
    parts.push({ key: "picture", label: name, image: url, title: words.search.pictureTitle(name), remove });
  }
  if (like) {
    const label = words.search.like(fileName(like.path), timeText(like.second, true));
    parts.push({ key: "like", label, title: like.path, remove: () => choose({ like: null }) });
  }
  for (const person of people) {
    parts.push({
      key: `${person.collection}/${person.name}`,
      label: words.search.person(person.name),
      title: person.collection,
      remove: () => choose({ people: query.peek().people.filter((one) => one !== person) }),
    });
  }
  if (speaker) {
    parts.push({ key: "speaker", label: words.search.speaks(speaker), remove: () => choose({ speaker: "" }) });
  }
  if (said) {
    parts.push({ key: "said", label: words.search.said(said), remove: () => choose({ said: "" }) });
  }
  return parts;
}
