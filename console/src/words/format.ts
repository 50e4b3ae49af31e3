/** Moments and sizes, as all pages write them. */
import { words } from "./index";

/** The time of a Unix time; with its day, where that is not today. */
export function moment(unix: number): string {
  const at = new Date(unix * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  return at.toLocaleString("en-GB", { timeStyle: "medium", dateStyle: isToday ? undefined : "medium" });
}

export function bytes(count: number): string {
  if (count < 999_500) return `${words.number(Math.ceil(count / 1e3))} kB`;
  if (count < 999.5e6) return `${words.number(Math.round(count / 1e6))} MB`;
  return `${words.number(Math.round(count / 1e8) / 10)} GB`;
}
