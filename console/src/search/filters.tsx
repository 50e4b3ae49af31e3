/** What files and matches must be: a form that can be opened, and chips of what is set. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { people, speakers } from "./asking/people";
import { activeFilters, choose, type Field, filter, isSame, noFilters, query } from "./asking/query";
import { Chip } from "./box/chips";
import { words } from "../words";

const says = words.search.filters;
const RATES = ["23.98", "24", "25", "29.97", "30", "48", "50", "59.94", "60", "100", "119.88", "120"];

const isOpen = signal(false);
const FORM = "filters-form";

export function FiltersButton() {
  const { length } = activeFilters(query.value.filters);
  return (
    <button
      type="button"
      class="filters-button"
      aria-expanded={isOpen.value}
      aria-controls={FORM}
      onClick={() => (isOpen.value = !isOpen.value)}
    >
      {says.label}{" "}
      {length > 0 && <span class="count">{length}</span>}
    </button>
  );
}

export function Filters() {
  return (
    <>
      <div id={FORM} class="filters-form" hidden={!isOpen.value} role="group" aria-label={says.label}>
        <Text name="folder" placeholder={says.folderHint} />
        <Text name="after" type="date" />
        <Text name="before" type="date" />
        <Choice name="rate" choices={Object.fromEntries(RATES.map((rate) => [` ${rate}`, rate]))} />
        <Choice name="size" choices={says.size} />
        <Choice name="sound" choices={says.sound} />
        <Text name="lang" placeholder={says.langHint} list={says.languages} />
        <Choice name="order" choices={says.order} none={says.best} />
        <Choice name="least" choices={says.least} none={says.weak} />
        <People />
        <Speaker />
      </div>
      <FilterChips />
    </>
  );
}

function FilterChips() {
  const { filters } = query.value;
  const active = activeFilters(filters);
  if (active.length === 0) return null;
  return (
    <div class="filter-chips">
      {active.map((name) => {
        const label = says.active(says.names[name], valueOf(name, filters[name]));
        return <Chip key={name} label={label} remove={() => filter(name, "")} />;
      })}
      {active.length > 1 && (
        <button type="button" class="quiet" onClick={() => choose({ filters: noFilters })}>
          {says.clear}
        </button>
      )}
    </div>
  );
}

function valueOf(name: Field, value: string): string {
  if (name === "rate") return says.rate(value);
  if (name === "size" || name === "sound" || name === "order" || name === "least") {
    return says[name][value] ?? value;
  }
  return value;
}

function Named({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <label>
      <span>{name}</span>
      {children}
    </label>
  );
}

interface TextProps {
  name: Field;
  type?: "text" | "date";
  placeholder?: string;
  list?: string[];
}

function Text({ name, type = "text", placeholder, list }: TextProps) {
  return (
    <Named name={says.names[name]}>
      <input
        type={type}
        placeholder={placeholder}
        list={list && `filter-${name}`}
        spellcheck={false}
        value={query.value.filters[name]}
        onChange={(event) => filter(name, event.currentTarget.value.trim())}
      />
      {list && (
        <datalist id={`filter-${name}`}>
          {list.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
      )}
    </Named>
  );
}

interface ChoiceProps {
  name: Field;
  choices: Record<string, string>;
  none?: string;
}

function Choice({ name, choices, none = says.any }: ChoiceProps) {
  return (
    <Named name={says.names[name]}>
      <select
        value={query.value.filters[name]}
        onChange={(event) => filter(name, event.currentTarget.value)}
      >
        <option value="">{none}</option>
        {Object.entries(choices).map(([value, meaning]) => (
          <option key={value} value={value.trim()}>
            {meaning}
          </option>
        ))}
      </select>
    </Named>
  );
}

/** People who are to be seen, and whether all or any of them. */
function People() {
  const chosen = query.value.people;
  const others = people.value.filter((one) => !chosen.some((each) => isSame(each, one)));
  if (others.length === 0 && chosen.length < 2) return null;
  return (
    <>
      {others.length > 0 && (
        <Named name={says.people}>
          <select
            value=""
            onChange={(event) => {
              const person = others[Number(event.currentTarget.value)];
              if (person) choose({ people: [...chosen, person] });
            }}
          >
            <option value="">{says.addPerson}</option>
            {others.map(({ collection, name }, n) => (
              <option key={`${collection}/${name}`} value={n} title={collection}>
                {name}
              </option>
            ))}
          </select>
        </Named>
      )}
      {chosen.length > 1 && (
        <Named name={chosen.map(({ name }) => name).join(", ")}>
          <select
            value={query.value.anyPerson ? "or" : "and"}
            onChange={(event) => choose({ anyPerson: event.currentTarget.value === "or" })}
          >
            <option value="and">{says.together}</option>
            <option value="or">{says.either}</option>
          </select>
        </Named>
      )}
    </>
  );
}

/** Who is to be heard. Somebody of another library, whom the address names, stays chosen. */
function Speaker() {
  const { speaker } = query.value;
  const others = speakers.value.filter((name) => name !== speaker);
  if (others.length === 0 && !speaker) return null;
  return (
    <Named name={says.speaker}>
      <select value={speaker} onChange={(event) => choose({ speaker: event.currentTarget.value })}>
        <option value="">{says.anybody}</option>
        {[...(speaker ? [speaker] : []), ...others].map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </Named>
  );
}
