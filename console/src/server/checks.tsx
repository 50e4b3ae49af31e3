/** Several of a few, all in sight, each with what it means. */
import type { Signal } from "@preact/signals";

interface ChecksProps<T extends string> {
  label: string;
  options: readonly T[];
  meanings: Record<string, string>;
  chosen: Signal<T[]>;
}

export function Checks<T extends string>({ label, options, meanings, chosen }: ChecksProps<T>) {
  return (
    <fieldset class="checks">
      <legend>{label}</legend>
      {options.map((one) => (
        <label key={one}>
          <input
            type="checkbox"
            checked={chosen.value.includes(one)}
            onChange={(event) => {
              const others = chosen.value.filter((each) => each !== one);
              chosen.value = event.currentTarget.checked ? [...others, one] : others;
            }}
          />
          <span>
            <strong>{one}</strong> {meanings[one]}
          </span>
        </label>
      ))}
    </fieldset>
  );
}
