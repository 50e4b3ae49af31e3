/** A time that can be typed: HH:MM:SS.mmm. What is no time stays, with a sentence, and changes nothing. */
import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { secondsOf, timeText } from "../parts/times";
import { words } from "../words";

interface TimeFieldProps {
  label: string;
  seconds: number;
  fault: (seconds: number) => string | undefined;
  onChange: (seconds: number) => void;
}

export function TimeField({ label, seconds, fault, onChange }: TimeFieldProps) {
  const id = useId();
  const text = useSignal(timeText(seconds));
  const error = useSignal("");
  useEffect(() => {
    text.value = timeText(seconds);
    error.value = "";
  }, [seconds]);

  function commit(): void {
    if (text.value === timeText(seconds)) {
      error.value = "";
      return; // times may be finer than they are written
    }
    const typed = secondsOf(text.value);
    error.value = typed === undefined ? words.basket.noTime : (fault(typed) ?? "");
    if (typed !== undefined && !error.value) onChange(typed);
  }

  return (
    <span class="time-field">
      <input
        type="text"
        inputMode="decimal"
        autocomplete="off"
        aria-label={label}
        aria-invalid={error.value !== ""}
        aria-describedby={id}
        value={text}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => event.key === "Enter" && commit()}
      />
      <span id={id} class="error" role="alert">
        {error}
      </span>
    </span>
  );
}
