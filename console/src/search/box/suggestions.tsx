/** The list below the box. The focus stays in the box, which names the active one. */
import { words } from "../../words";
import type { Option } from "./options";

const SIGNS = { person: "☺", speaker: "♪", said: "❝" };

interface SuggestionsProps {
  id: string;
  options: Option[];
  active: number; // -1: none
  onChoose: (option: Option) => void;
}

export function Suggestions({ id, options, active, onChoose }: SuggestionsProps) {
  return (
    <ul id={id} class="suggestions" role="listbox" aria-label={words.search.suggestions}>
      {options.map((option, n) => (
        <li
          key={`${option.kind} ${option.label} ${n}`}
          id={`${id}-${n}`}
          role="option"
          aria-selected={n === active}
          // The box keeps the focus.
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => onChoose(option)}
        >
          <span aria-hidden="true">{SIGNS[option.kind]}</span>
          {option.kind === "person" ? words.search.person(option.label) : option.label}
        </li>
      ))}
    </ul>
  );
}
