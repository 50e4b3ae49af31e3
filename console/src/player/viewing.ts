/** A file that is looked at: how it plays, its scenes, what is marked in it. */
import { computed, signal } from "@preact/signals";
import { addRange } from "../basket/basket";
import { Marks, sceneAt, type Scene, type Span } from "./marks";
import { Playing } from "./playing";

const MOMENT_S = 1e-6;
const ROUNDED_S = 0.0006; // times of cuts may be whole milliseconds
const RESTART_S = 1.5; // later than that in a scene, "former" means its beginning

export class Viewing {
  readonly playing: Playing;
  readonly marks = new Marks();
  readonly scenes = signal<Scene[]>([]);
  /** The scene that was opened, from the address. */
  readonly opened = signal<Span | null>(null);
  readonly sceneIndex = computed(() =>
    sceneAt(this.scenes.value, this.#lastOf(this.playing.time.value)),
  );
  /** What goes into the basket: what is marked, else the scene. */
  readonly range = computed<Span>(() => this.marks.range(this.#scene()));
  /** How many ranges were added while it was open. */
  readonly added = signal(0);

  constructor(
    readonly mediaPath: string,
    readonly cacheDir: string,
  ) {
    this.playing = new Playing(mediaPath, cacheDir || undefined);
  }

  /** Where a stored picture of a second is to be had; undefined: nowhere. */
  pictureUrl(seconds: number): string | undefined {
    const url = this.playing.feed.playback.value?.frames_url;
    const last = Math.max(0, Math.ceil(this.playing.duration.value) - 1);
    return url ? `${url}?second=${Math.min(last, Math.max(0, Math.floor(seconds)))}` : undefined;
  }

  open(at: number, opened: Span | null): void {
    this.opened.value = opened;
    this.marks.clear();
    this.playing.seek(at);
  }

  markIn(): void {
    this.marks.setIn(this.#pictures().begin(this.playing.time.peek()));
  }

  markOut(): void {
    this.marks.setOut(this.#pictures().end(this.playing.time.peek()));
  }

  goToIn(): void {
    this.playing.seek(this.range.peek().start);
  }

  goToOut(): void {
    const { end } = this.range.peek();
    this.playing.seek(this.#pictures().step(end, -1)); // the last picture of it
  }

  goToScene(way: 1 | -1): void {
    const now = this.#lastOf(this.playing.time.peek());
    const begins = this.scenes.peek().map((scene) => scene.start_seconds);
    const other =
      way > 0
        ? begins.find((begin) => begin > now)
        : begins.findLast((begin) => begin < now - RESTART_S);
    if (other !== undefined || way < 0) this.playing.seek(other ?? 0);
  }

  addToBasket(): void {
    const { start, end } = this.range.peek();
    if (end <= start) return;
    const { mediaPath, cacheDir } = this;
    addRange({ cacheDir, mediaPath, start, end, imageUrl: this.pictureUrl(start) });
    this.added.value += 1;
  }

  /**
   * The last moment of the picture that is shown at a time. Scenes begin at whole seconds, in the midst
   * of a picture: that one is the first of its scene.
   */
  #lastOf(seconds: number): number {
    const { pictures, duration } = this.playing;
    const end = Math.min(pictures.value.end(seconds), duration.value || Infinity);
    return Math.max(seconds, end - MOMENT_S);
  }

  #pictures() {
    return this.playing.pictures.peek();
  }

  /** Of what is marked, else of where it is. */
  #scene(): Span {
    const duration = this.playing.duration.value || Infinity;
    const { start, end } = this.#sceneBySeconds();
    return { start, end: Math.min(end, duration) }; // the last second of a file is seldom a whole one
  }

  #sceneBySeconds(): Span {
    const { in: begin, out } = this.marks;
    const shown = begin.value ?? (out.value === null ? this.playing.time.value : out.value - 0.001);
    const at = this.#lastOf(shown);
    const opened = this.opened.value;
    if (opened && at >= opened.start && at < opened.end + ROUNDED_S) return opened;
    const scene = this.scenes.value[sceneAt(this.scenes.value, at)];
    if (scene) return { start: scene.start_seconds, end: scene.end_seconds };
    return { start: 0, end: this.playing.duration.value };
  }
}
