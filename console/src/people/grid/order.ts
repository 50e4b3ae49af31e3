/** Which people are shown, and in which order, as the address says. */
import { computed } from "@preact/signals";
import { route } from "../../route";
import { draft } from "../naming/draft";
import { cast, type Cluster } from "../state/cast";
import { beginsWith } from "../state/known_names";

export type Shown = "all" | "unnamed" | "named" | "heard";
export type Sort = "time" | "name" | "faces" | "spoken";

const param = (name: string) => computed(() => route.value.params.get(name) ?? "");
export const find = param("find");
const showText = param("show");
const sortText = param("sort");
export const show = computed(() => (["unnamed", "named", "heard"] as const).find((one) => one === showText.value) ?? "all");
export const sort = computed(() => (["name", "faces", "spoken"] as const).find((one) => one === sortText.value) ?? "time");

const names = new Intl.Collator("en", { numeric: true });
const byTime = (one: Cluster, other: Cluster) =>
  other.seconds - one.seconds || other.stills - one.stills || other.faces - one.faces || other.spoken - one.spoken || Number(one.id) - Number(other.id);

const orders: Record<Sort, (one: Cluster, other: Cluster) => number> = {
  time: byTime,
  faces: (one, other) => other.faces - one.faces || byTime(one, other),
  spoken: (one, other) => other.spoken - one.spoken || byTime(one, other),
  // Those without a name come last.
  name: (one, other) =>
    Number(!one.name) - Number(!other.name) || names.compare(one.name, other.name) || byTime(one, other),
};

export const people = computed<Cluster[]>(() => {
  const [all, typed] = [cast.value?.people ?? [], find.value.trim()];
  const fits = all.filter(({ id, name, voices }) => {
    if (id === draft.value?.id) return true; // somebody types there
    if (!isShown(name, voices)) return false;
    return !typed || (name !== "" && beginsWith(name, typed));
  });
  return fits.sort(orders[sort.value]);
});

function isShown(name: string, voices: number): boolean {
  if (show.value === "heard") return voices > 0;
  return show.value === "all" || (show.value === "named") === Boolean(name);
}
