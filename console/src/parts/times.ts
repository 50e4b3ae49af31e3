/** Times as people write them. */

/** HH:MM:SS.mmm; without the thousandths where `short`. */
export function timeText(seconds: number, short = false): string {
  const all = short
    ? Math.floor(Math.max(0, seconds)) * 1000
    : Math.round(Math.max(0, seconds) * 1000);
  const [h, m, s, ms] = [all / 3_600_000, (all / 60_000) % 60, (all / 1000) % 60, all % 1000];
  const [hours, minutes, whole] = [h, m, s].map((one) => pad(Math.floor(one), 2));
  return `${hours}:${minutes}:${whole}${short ? "" : `.${pad(ms, 3)}`}`;
}

/** Seconds of HH:MM:SS.mmm, MM:SS or SS; undefined where it is no such time. */
export function secondsOf(text: string): number | undefined {
  const found = /^(?:(?:(\d{1,3}):)?([0-5]?\d):)?(\d{1,9}(?:[.,]\d{1,6})?)$/.exec(text.trim());
  if (!found) return undefined;
  const [, hours, minutes, rest = "0"] = found;
  const seconds = Number(rest.replace(",", "."));
  if (minutes !== undefined && seconds >= 60) return undefined;
  return Number(hours ?? 0) * 3600 + Number(minutes ?? 0) * 60 + seconds;
}

export function pad(number: number, digits: number): string {
  return String(number).padStart(digits, "0");
}

/** The last part of a path of any system. */
export function fileName(path: string): string {
  return path.split(/[/\\]/).at(-1) || path;
}
