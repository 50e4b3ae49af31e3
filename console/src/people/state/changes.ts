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
  isUndoable?: boolean;
  redoTo?: string; // the edit to go back to, so that what was undone is done again
}

export const message = signal<Message | null>(null);
export const isChanging = signal(false);

/** The newest edit that somebody knew of when they decided. */
export const known = (): string => cast.peek()?.lastEdit ?? "";

interface Collection {
  cache_dir: string;
  cluster_job_name: string;
}

type Act = (where: Collection) => Promise<() => Message>;
let line: Promise<unknown> = Promise.resolve();

/** One after the other, as fast as somebody presses keys. Whether it was done. */
function change(act: Act): Promise<boolean> {
  const mine = line.then(() => changeNow(act));
  line = mine.catch(() => undefined);
  return mine;
}

/** `act` says what was done, once the people are loaded anew. */
async function changeNow(act: Act): Promise<boolean> {
  const shown = cast.peek();
  if (!shown) return false;
  isChanging.value = true;
  try {
    const told = await act({ cache_dir: dir.peek(), cluster_job_name: shown.collection });
    forgetFound();
    await load();
    message.value = told();
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // Somebody else was faster: show what they did.
    if (error.status === 409 || error.status === 404) await load();
    if (!error.isSignedOut) message.value = { text: sentence(error), isError: true };
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
export function giveName(ids: string[], name: string, knownEdit?: string): Promise<boolean> {
  return change(async (where) => {
    const assignments = ids.map((cluster_id) => ({ cluster_id, name }));
    const body = { ...where, assignments, known_edit_id: knownEdit ?? known() };
    await ask(api.PUT("/faces/clusters/names", { body }));
    return () => ({ ...gained(ids, name), isUndoable: true });
  });
}

/** What search finds by the name. */
function gained(ids: string[], typed: string): Message {
  // The server has the last word on how a name is written.
  const name = typed.trim() && (byId.peek().get(ids[0] ?? "")?.name || typed.trim());
  const { collection = "", people = [] } = cast.peek() ?? {};
  const found = people.filter((one) => one.name === name);
  if (!name || found.length === 0) return { text: says.did.unnamed };
  const amount = amountOf(found);
  const text = found.length === 1 ? says.did.finds(name, amount) : says.did.findsTogether(name, found.length, amount);
  return { text, link: { text: says.actions.search(name), href: hrefToSearch(dir.peek(), collection, name) } };
}

function amountOf(people: Cluster[]): string {
  const sum = (of: (one: Cluster) => number) => people.reduce((all, one) => all + of(one), 0);
  const [seconds, stills] = [sum(({ seconds }) => seconds), sum(({ stills }) => stills)];
  if (people.length > 1) return says.seen(seconds, stills); // files may be the same ones
  return says.inFiles(seconds, stills, sum(({ files }) => files));
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
    await ask(api.POST("/faces/clusters/modify", { body }));
    return () => {
      const now = byId.peek().get(target)?.name ?? "";
      const { link, text } = now ? gained([target], now) : { link: undefined, text: "" };
      const merged = says.did.merged(others.length, now || says.somebody);
      return { text: [merged, text].filter(Boolean).join(" "), link, isUndoable: true };
    };
  });
}

/** Not people at all: their faces are of nobody. */
export function dismiss(ids: string[]): Promise<boolean> {
  return change(async (where) => {
    // Of what is seen here: a regrouping that added faces meanwhile is no edit.
    const face_count = ids.reduce((sum, id) => sum + (byId.peek().get(id)?.faces ?? 0), 0);
    const moves = [{ cluster_ids: ids, face_count, target_cluster_id: NOBODY }];
    const body = { ...where, moves, known_edit_id: known() };
    const { moved } = await ask(api.POST("/faces/clusters/modify", { body }));
    return () => ({ text: says.did.dismissed(ids.length, moved), isUndoable: true });
  });
}

/** Faces to another person, to nobody, or (null) to a new one, who may have a name. */
export function moveFaces(faceIds: string[], target: string | null, name = ""): Promise<boolean> {
  return change(async (where) => {
    const moves = [{ face_ids: faceIds, target_cluster_id: target }];
    const body = { ...where, moves, known_edit_id: known() };
    const done = await ask(api.POST("/faces/clusters/modify", { body }));
    const made = done.new_cluster_ids[0];
    if (made && name) {
      const assignments = [{ cluster_id: made, name }];
      const known_edit_id = done.edit_id ?? undefined;
      await ask(api.PUT("/faces/clusters/names", { body: { ...where, assignments, known_edit_id } }));
    }
    return () => movedMessage(where, faceIds.length, made ?? target ?? NOBODY, made !== undefined);
  });
}

function movedMessage(where: Collection, faces: number, to: string, isNew: boolean): Message {
  if (to === NOBODY) return { text: says.did.taken(faces), isUndoable: true };
  const text = isNew ? says.did.split(faces) : says.did.moved(faces, called(to));
  const href = hrefToPerson(where.cache_dir, where.cluster_job_name, to);
  const link = { text: isNew ? says.did.toNew : called(to), href };
  return { text, link, isUndoable: true };
}

/** The last change is taken back. */
export function undo(): Promise<boolean> {
  return change(async (where) => {
    const before = known();
    await ask(api.POST("/faces/edits/undo", { body: { ...where, known_edit_id: before } }));
    return () => ({ text: says.did.undone, redoTo: before });
  });
}

/** Everything becomes as it was right after that edit; "": before the first. */
export function goBack(edit: string, told: string = says.did.wentBack): Promise<boolean> {
  return change(async (where) => {
    const before = known();
    const body = { ...where, edit_id: edit, known_edit_id: before };
    await ask(api.POST("/faces/edits/undo", { body }));
    return () => ({ text: told, redoTo: before });
  });
}

export function redo(): void {
  const to = message.peek()?.redoTo;
  if (to !== undefined) void goBack(to, says.did.redone);
}
