/** Which picture is shown at a time, and where it lies. */
import type { Schemas } from "../api/client";
import { pad, timeText } from "../parts/times";

const NEARLY = 1e-3; // of a picture: times are rounded
const MOMENT_S = 0.0004; // after a time that is meant, where the pictures come unevenly

export class Pictures {
  /** `rate`: pictures a second; `isEven`: picture k is shown from k / rate on. */
  constructor(
    readonly rate: number,
    readonly isEven: boolean,
  ) {}

  /** Where the picture that is shown at `seconds` begins; the time itself where nobody knows. */
  begin(seconds: number): number {
    return this.isEven ? this.#index(seconds) / this.rate : seconds;
  }

  /** Where it ends. */
  end(seconds: number): number {
    return this.isEven ? (this.#index(seconds) + 1) / this.rate : seconds;
  }

  /** The middle of it: whoever goes there sees this picture and no other, however times are rounded. */
  middle(seconds: number): number {
    return this.isEven ? (this.#index(seconds) + 0.5) / this.rate : seconds + MOMENT_S;
  }

  /** The middle of the picture that is so many before or after. */
  step(seconds: number, count: number): number {
    return this.middle(Math.max(0, this.begin(seconds) + count / this.rate));
  }

  #index(seconds: number): number {
    return Math.max(0, Math.floor(seconds * this.rate + NEARLY));
  }
}

const USUAL_RATE = 25; // of steps, where there are no pictures

/** `isUneven`: the rate is an average. */
export function picturesOf(rate: Schemas["Rate"] | null | undefined, isUneven: boolean): Pictures {
  const known = rate && rate.num > 0 && rate.den > 0 ? rate.num / rate.den : undefined;
  return new Pictures(known ?? USUAL_RATE, known !== undefined && !isUneven);
}

/** The source's timecode at a time; the time itself where it has none. */
export function timecodeAt(
  seconds: number,
  start: Schemas["StartTimecode"] | null | undefined,
): string {
  const found = start && /^(\d+):(\d+):(\d+)[:;](\d+)$/.exec(start.value);
  if (!found) return timeText(seconds);
  const [num = 0, den = 1] = start.rate.split("/").map(Number);
  const [rate, whole] = [num / den, Math.round(num / den)];
  const [h = 0, m = 0, s = 0, f = 0] = found.slice(1).map(Number);
  const dropped = start.drop_frame ? 2 * Math.round(whole / 30) : 0; // numbers, in most minutes
  const minutes = h * 60 + m;
  const named = (minutes * 60 + s) * whole + f - dropped * (minutes - Math.floor(minutes / 10));
  const counted = named + Math.floor(seconds * rate + NEARLY);
  return timecodeText(counted, whole, dropped);
}

function timecodeText(counted: number, whole: number, dropped: number): string {
  const tenMinutes = whole * 600 - dropped * 9;
  const [tens, rest] = [Math.floor(counted / tenMinutes), counted % tenMinutes];
  const minute = whole * 60 - dropped;
  const skipped = rest < whole * 60 ? 0 : Math.floor((rest - whole * 60) / minute) + 1;
  const number = counted + dropped * (tens * 9 + skipped);
  const seconds = Math.floor(number / whole);
  const parts = [Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, seconds % 60];
  return `${parts.map((one) => pad(one, 2)).join(":")}${dropped ? ";" : ":"}${pad(number % whole, 2)}`;
}
