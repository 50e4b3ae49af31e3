/** At which hours files of a watched folder are taken, how soon, and which not. */
import { work } from "../../words/work";
import type { Fields } from "./fields";

const says = work.form;

interface WhenProps {
  fields: Fields;
  onChange: (changes: Partial<Fields>) => void;
}

export function When({ fields, onChange }: WhenProps) {
  return (
    <>
      <label class="check">
        <input
          type="checkbox"
          checked={fields.recursive}
          onChange={(event) => onChange({ recursive: event.currentTarget.checked })}
        />
        {says.recursive}
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={fields.isLimited}
          onChange={(event) => onChange({ isLimited: event.currentTarget.checked })}
        />
        {says.limited}
      </label>
      {fields.isLimited && (
        <div class="hours">
          <Time label={says.from} value={fields.start} onInput={(start) => onChange({ start })} />
          <Time label={says.to} value={fields.stop} onInput={(stop) => onChange({ stop })} />
          <span class="hint">{says.clock}</span>
        </div>
      )}
      <label>
        {says.settle}
        <input
          type="number"
          min="0"
          max="3600"
          step="any"
          required
          defaultValue={String(fields.settle)}
          onInput={(event) => onChange({ settle: event.currentTarget.valueAsNumber })}
        />
      </label>
      <label>
        {says.globs}
        <input
          type="text"
          spellcheck={false}
          placeholder={says.globsExample}
          value={fields.globs}
          onInput={(event) => onChange({ globs: event.currentTarget.value })}
        />
      </label>
    </>
  );
}

function Time({ label, value, onInput }: { label: string; value: string; onInput: (value: string) => void }) {
  return (
    <label>
      {label}
      <input type="time" required value={value} onInput={(event) => onInput(event.currentTarget.value)} />
    </label>
  );
}
