/** The faces of one person, page by page; only pages in sight are asked for. */
import { signal } from "@preact/signals";
import { api, ask, Refusal, type Schemas } from "../../api/client";
import { isAbort } from "../../search/asking/patience";

export type FaceOf = Schemas["FaceItem"];

const PAGE = 60;
const KEPT = 40; // pages of some 600 KB
const AGAIN_MS = 3000;

export class FacePages {
  readonly error = signal<unknown>(null);
  #version = signal(0);
  #pages = new Map<number, { faces: FaceOf[]; edition: string }>();
  #edition = "";
  #wanted: [number, number] = [0, -1];
  #isAsking = false;
  #control = new AbortController();
  #timer = 0;

  constructor(
    readonly dir: string,
    readonly collection: string,
    readonly id: string,
  ) {}

  close(): void {
    clearTimeout(this.#timer);
    this.#control.abort();
  }

  at(place: number): FaceOf | undefined {
    return this.#version.value >= 0 ? this.#pages.get(Math.floor(place / PAGE))?.faces[place % PAGE] : undefined;
  }

  /** The ids from one place to another, loaded where they are not; null: they became others meanwhile. */
  async ids(first: number, last: number): Promise<string[] | null> {
    const edition = this.#edition;
    const found: string[] = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page += 1) {
      if (this.#pages.get(page)?.edition !== edition) await this.#load(page);
      if (this.#edition !== edition) return null;
      const start = page * PAGE;
      const faces = this.#pages.get(page)?.faces ?? [];
      found.push(...faces.slice(Math.max(0, first - start), last - start + 1).map(({ face_id }) => face_id));
    }
    return found;
  }

  placeOf(id: string): number {
    for (const [page, { faces }] of this.#pages) {
      const at = faces.findIndex(({ face_id }) => face_id === id);
      if (at >= 0) return page * PAGE + at;
    }
    return -1;
  }

  /** Those in sight; `edition` changes whenever they may be others. What was there stays until then. */
  want(first: number, end: number, edition: string): void {
    this.#edition = edition;
    this.#wanted = [Math.floor(first / PAGE), Math.floor(Math.max(first, end - 1) / PAGE)];
    if (!this.#isAsking && end > first) void this.#ask();
  }

  async #ask(): Promise<void> {
    this.#isAsking = true;
    clearTimeout(this.#timer);
    try {
      for (let page = this.#missing(); page !== undefined; page = this.#missing()) await this.#load(page);
      this.error.value = null;
    } catch (error) {
      if (isAbort(error)) return;
      if (!(error instanceof Refusal)) throw error;
      this.error.value = error;
      // Of a person who is gone there is nothing to wait for.
      if (error.status === 0 || error.status >= 500) this.#timer = window.setTimeout(() => void this.#ask(), AGAIN_MS);
    } finally {
      this.#isAsking = false;
    }
  }

  #missing(): number | undefined {
    const [first, last] = this.#wanted;
    for (let page = first; page <= last; page += 1) {
      if (this.#pages.get(page)?.edition !== this.#edition) return page;
    }
    return undefined;
  }

  async #load(page: number): Promise<void> {
    const edition = this.#edition;
    const where = { cache_dir: this.dir, cluster_job_name: this.collection, cluster_id: this.id };
    const body = { ...where, limit: PAGE, offset: page * PAGE };
    const { faces } = await ask(api.POST("/faces/clusters/faces", { body, signal: this.#control.signal }));
    this.#pages.delete(page); // the newest stand last
    this.#pages.set(page, { faces, edition });
    for (const each of this.#pages.keys()) {
      if (this.#pages.size <= KEPT) break;
      this.#pages.delete(each);
    }
    this.#version.value += 1;
  }
}
