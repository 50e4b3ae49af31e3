/** What is selected among faces or people, by their ids, and which of them has the focus. */
import { signal, type Signal } from "@preact/signals";

export class Selection {
  readonly chosen = signal<ReadonlySet<string>>(new Set());
  readonly active: Signal<string>; // an id; "": the first one
  #from = ""; // where a range begins

  constructor(active = "") {
    this.active = signal(active);
  }

  /** Where a range begins; "": nowhere. */
  get from(): string {
    return this.#from;
  }

  has(id: string): boolean {
    return this.chosen.value.has(id);
  }

  get ids(): string[] {
    return [...this.chosen.peek()];
  }

  toggle(id: string): void {
    const next = new Set(this.chosen.peek());
    if (!next.delete(id)) next.add(id);
    this.#from = id;
    this.chosen.value = next;
  }

  /** All from the one that was chosen last up to this one, in the order of `ids`. */
  extend(id: string, ids: readonly (string | undefined)[]): void {
    const [one, other] = [ids.indexOf(this.#from), ids.indexOf(id)];
    if (one < 0 || other < 0) {
      this.toggle(id);
      return;
    }
    const range = ids.slice(Math.min(one, other), Math.max(one, other) + 1);
    this.chosen.value = new Set([...this.chosen.peek(), ...range.filter((each) => each !== undefined)]);
  }

  clear(): void {
    if (this.chosen.peek().size > 0) this.chosen.value = new Set();
  }

  /** Those that are gone are no longer selected. */
  keepOnly(isThere: (id: string) => boolean): void {
    const next = this.ids.filter(isThere);
    if (next.length < this.chosen.peek().size) this.chosen.value = new Set(next);
  }
}
