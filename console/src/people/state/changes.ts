/** What is changed by hand: names, merges, moves, and taking it back. Each says what became of it. */
import { signal } from "@preact/signals";
import { api, ask, Refusal, sentence } from "../../api/client";
import { forgetFound } from "../../search/asking/results";
import { says } from "../../words/people";
import { byId, cast, type Cluster, dir, load, NOBODY } from "./cast";
import { hrefToPerson, hrefToSearch } from "./places";

interface Message {
  text: string;
  isError?: boolean;
  link?: { text: string; href: string };
  made?: string | null; // the edit that it is about: only that one is taken back
  redo?: { to: string; made?: string | null }; // the edit to go back to, so that what was undone is done again
}

export const message = signal<Message | null>(null);
export const isChanging = signal(false);

/** The newest edit that somebody knew of when they decided. */
export const known = (): string => cast.peek()?.lastEdit ?? "";

interface Collection {
  cache_dir: string;
  cluster_job_name: string;
}

/** Says what was done; `isLoaded`: the people are as they are now. */
type Told = (isLoaded: boolean) => Message;
type Act = (where: Collection) => Promise<Told>;
type Refused = (sentence: string) => void;
let newest: string | null = null; // that was made here

/** Whether it was made by who looks at this page. */
export const isOwn = (edit: string): boolean => edit === newest;

const tell: Refused = (text) => (message.value = { text, isError: true });
let line: Promise<unknown> = Promise.resolve();

/** One after the other, as fast as somebody presses keys. Whether it was done. */
function change(act: Act, refused = tell): Promise<boolean> {
  const mine = line.then(() => changeNow(act, refused));
  line = mine.catch(() => undefined);
  return mine;
}

async function changeNow(act: Act, refused: Refused): Promise<boolean> {
  const shown = cast.peek();
  if (!shown) return false;
  isChanging.value = true;
  try {
    const told = await act({ cache_dir: dir.peek(), cluster_job_name: shown.collection });
    forgetFound();
    const { made, redo } = told(false);
    newest = made ?? redo?.made ?? null;
    message.value = told(await load());
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // Somebody else was faster: show what they did.
    if (error.status === 409 || error.status === 404) await load();
    if (!error.isSignedOut) refused(sentence(error));
    return false;
  } finally {
    isChanging.value = false;
  }
}

/** What somebody is called in a sentence. */
export function called(id: string): string {
  return byId.peek().get(id)?.name || says.somebody;
}

/** One name for these; "" takes it away. `knownEdit`: as it was when they began to type. */
export function giveName(ids: string[], name: string, knownEdit: string, refused: Refused): Promise<boolean> {
  return change(async (where) => {
    const assignments = ids.map((cluster_id) => ({ cluster_id, name }));
    const body = { ...where, assignments, known_edit_id: knownEdit };
    const { edit_id: made } = await ask(api.PUT("/faces/clusters/names", { body }));
    return (isLoaded) => ({ ...gained(ids, name, isLoaded), made });
  }, refused);
}

/** What search finds by the name. */
function gained(ids: string[], typed: string, isLoaded: boolean): Message {
  if (!typed.trim()) return { text: says.did.unnamed };
  if (!isLoaded) return { text: says.did.named(typed.trim()) };
  // The server has the last word on how a name is written.
  const name = byId.peek().get(ids[0] ?? "")?.name || typed.trim();
  const { collection = "", people = [] } = cast.peek() ?? {};
  const found = people.filter((one) => one.name === name);
  if (found.length === 0) return { text: says.did.named(name) };
  const amount = amountOf(found);
  const text = found.length === 1 ? says.did.finds(name, amount) : says.did.findsTogether(name, found.length, amount);
  const isSeen = found.some(({ faces }) => faces > 0);
  return { text, link: { text: says.actions.search(name), href: hrefToSearch(dir.peek(), collection, name, isSeen) } };
}

function amountOf(people: Cluster[]): string {
  const sum = (of: (one: Cluster) => number) => people.reduce((all, one) => all + of(one), 0);
  const [seconds, stills, spoken] = [sum(({ seconds }) => seconds), sum(({ stills }) => stills), sum((one) => one.spoken)];
  const isOne = people.length === 1; // else files may be the same ones
  if (seconds + stills === 0 && spoken > 0)
    return isOne ? says.heardInFiles(spoken, sum(({ files }) => files)) : says.heard(spoken);
  const shown = isOne ? says.inFiles(seconds, stills, sum(({ files }) => files)) : says.seen(seconds, stills);
  return [shown, spoken > 0 ? says.heard(spoken) : ""].filter(Boolean).join(" and ");
}

/** The different names of these. The first one stays where they are merged into the first of them. */
export function namesOf(ids: string[]): string[] {
  return [...new Set(ids.map((id) => byId.peek().get(id)?.name ?? "").filter(Boolean))];
}

/** These become a part of `target`. */
export function merge(ids: string[], target: string, knownEdit?: string): Promise<boolean> {
  const others = ids.filter((id) => id !== target);
  return change(async (where) => {
    const merges = [{ cluster_ids: others, target_cluster_id: target }];
    const body = { ...where, merges, known_edit_id: knownEdit ?? known() };
    const { edit_id: made } = await ask(api.POST("/faces/clusters/modify", { body }));
    return (isLoaded) => {
      const now = byId.peek().get(target)?.name ?? "";
      const { link, text } = now && isLoaded ? gained([target], now, true) : { link: undefined, text: "" };
      const merged = says.did.merged(others.length, now || says.somebody);
      return { text: [merged, text].filter(Boolean).join(" "), link, made };
    };
  });
}

/** Not people at all: their faces and voices are of nobody. */
export function dismiss(ids: string[]): Promise<boolean> {
  return change(async (where) => {
    // Of what is seen here: a regrouping that added faces meanwhile is no edit.
    const sum = (of: (one: Cluster) => number) =>
      ids.reduce((all, id) => all + (byId.peek().has(id) ? of(byId.peek().get(id)!) : 0), 0);
    const [face_count, voices] = [sum((one) => one.faces), sum((one) => one.voices)];
    const counts = { face_count, ...(voices > 0 && { voice_count: voices }) };
    const moves = [{ cluster_ids: ids, ...counts, target_cluster_id: NOBODY }];
    const body = { ...where, moves, known_edit_id: known() };
    const { edit_id: made } = await ask(api.POST("/faces/clusters/modify", { body }));
    return () => ({ text: says.did.dismissed(ids.length, face_count, voices), made });
  });
}

/** They are two people: a proposal that they are one is refused. */
export function keepApart(one: string, other: string, knownEdit: string): Promise<boolean> {
  return change(async (where) => {
    const body = { ...where, apart: [{ cluster_ids: [one, other] }], known_edit_id: knownEdit };
    const { edit_id: made } = await ask(api.POST("/faces/clusters/modify", { body }));
    return () => ({ text: says.did.apart, made });
  });
}

/** Faces or voices. */
export interface Parts {
  face_ids?: string[];
  voice_ids?: string[];
}

/** They go to another person, to nobody, or (null) to a new one, who may have a name. */
export function move(parts: Parts, target: string | null, name: string, knownEdit: () => string): Promise<boolean> {
  return change(async (where) => {
    const moves = [{ ...parts, target_cluster_id: target }];
    const body = { ...where, moves, known_edit_id: knownEdit() };
    const done = await ask(api.POST("/faces/clusters/modify", { body }));
    const created = done.new_cluster_ids[0];
    let made = done.edit_id;
    if (created && name) {
      const assignments = [{ cluster_id: created, name }];
      const named = { ...where, assignments, known_edit_id: made ?? undefined };
      made = (await ask(api.PUT("/faces/clusters/names", { body: named }))).edit_id;
    }
    const to = created ?? target ?? NOBODY;
    return () => ({ ...movedMessage(where, parts, to, created !== undefined), made });
  });
}

function movedMessage(where: Collection, parts: Parts, to: string, isNew: boolean): Message {
  const [faces, voices] = [parts.face_ids?.length ?? 0, parts.voice_ids?.length ?? 0];
  if (to === NOBODY) return { text: says.did.taken(faces, voices) };
  const text = isNew ? says.did.split(faces, voices) : says.did.moved(faces, voices, called(to));
  const href = hrefToPerson(where.cache_dir, where.cluster_job_name, to);
  const link = { text: isNew ? says.did.toNew : called(to), href };
  return { text, link };
}

/** The last change is taken back; `edit`: only where it is this one. */
export function undo(edit?: string): Promise<boolean> {
  return change(async (where) => {
    const before = edit ?? known();
    const body = { ...where, known_edit_id: before };
    const { edit_id: made } = await ask(api.POST("/faces/edits/undo", { body }));
    return () => ({ text: says.did.undone, redo: { to: before, made } });
  });
}

/** Everything becomes as it was right after that edit; "": before the first. `last`: only where nothing came after. */
export function goBack(edit: string, told: string = says.did.wentBack, last?: string | null): Promise<boolean> {
  return change(async (where) => {
    const before = last ?? known();
    const body = { ...where, edit_id: edit, known_edit_id: before };
    const { edit_id: made } = await ask(api.POST("/faces/edits/undo", { body }));
    return () => ({ text: told, redo: { to: before, made } });
  });
}

export function redo(): void {
  const again = message.peek()?.redo;
  if (again) void goBack(again.to, says.did.redone, again.made);
}
