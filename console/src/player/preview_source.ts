/** A preview as the source of a <video>: segments are asked for around the place that is played. */
import { ask, Refusal, type Schemas } from "../api/client";
import { words } from "../words";

type Preview = Schemas["PreviewStream"];

interface FailedSegment {
  segment: number;
  here: number; // the segment that was played then
  error: unknown;
}

const AHEAD_S = 20;
const KEPT_S = 40; // on both sides of the place; the rest is forgotten
const JUMP_S = 3; // a place that is so far from the one before was gone to
const BUSY_MS = 2000; // until a busy server is asked again
const BUSY_TIMES = 3; // that are not worth a word

export class PreviewSource {
  readonly #media = new MediaSource();
  readonly #address = URL.createObjectURL(this.#media);
  readonly #appended = new Set<number>();
  #buffer: SourceBuffer | undefined;
  #asked: { segment: number; abort: AbortController } | undefined;
  #failed: FailedSegment | undefined; // the last one that was asked for
  #busyTimes = 0; // one after the other
  #again: number | undefined; // the timer
  #isWorking = false;
  #isClosed = false;

  /**
   * `place`: seconds at which it is to begin; `onFailure` is called when what is to be shown cannot be
   * had. It is tried again when the place is another, or by itself where the server is busy.
   */
  constructor(
    private readonly video: HTMLVideoElement,
    private readonly preview: Preview,
    private readonly duration: number,
    private place: number,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.#media.addEventListener("sourceopen", () => this.#open(), { once: true });
    video.src = this.#address;
  }

  static canPlay(preview: Preview | null | undefined): preview is Preview {
    return (
      preview != null && "MediaSource" in globalThis && MediaSource.isTypeSupported(preview.type)
    );
  }

  /** What is played from `seconds` on is asked for; what is needed no more is given up. */
  moveTo(seconds: number): void {
    if (Math.abs(seconds - this.place) > JUMP_S) this.#failed = undefined;
    this.place = seconds;
    if (this.#asked && this.#asked.segment !== this.#missing()) this.#asked.abort.abort();
    void this.#work();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
    this.#asked?.abort.abort();
    URL.revokeObjectURL(this.#address);
  }

  #open(): void {
    URL.revokeObjectURL(this.#address);
    if (this.#isClosed) return;
    this.#media.duration = this.duration;
    this.#buffer = this.#media.addSourceBuffer(this.preview.type);
    void this.#work();
  }

  /** The first segment that is not there; undefined: there is enough. */
  #missing(): number | undefined {
    const last = this.#segmentAt(this.place + AHEAD_S);
    for (let segment = this.#segmentAt(this.place); segment <= last; segment++) {
      if (!this.#appended.has(segment)) return segment;
    }
    return undefined;
  }

  /** The segment to ask for now. One that failed waits until the place has come nearer. */
  #next(): number | undefined {
    const [segment, here] = [this.#missing(), this.#segmentAt(this.place)];
    if (segment === undefined || segment !== this.#failed?.segment) return segment;
    return here !== this.#failed.here && segment - here <= 1 ? segment : undefined;
  }

  #segmentAt(seconds: number): number {
    const segment = Math.floor(seconds / this.preview.segment_seconds);
    return Math.max(0, Math.min(segment, this.preview.segments - 1));
  }

  /** One at a time: a server makes few at once, and a buffer takes one at once. */
  async #work(): Promise<void> {
    if (!this.#buffer || this.#isWorking || this.#isClosed) return;
    this.#isWorking = true;
    for (let next = this.#next(); next !== undefined && !this.#isClosed; next = this.#next()) {
      await this.#take(this.#buffer, next);
    }
    this.#isWorking = false;
    if (this.#isClosed) return;
    const hasLast = this.#appended.has(this.preview.segments - 1);
    if (hasLast && this.#media.readyState === "open") this.#media.endOfStream();
    this.#tell();
  }

  async #take(buffer: SourceBuffer, segment: number): Promise<void> {
    this.#failed = undefined;
    try {
      const bytes = await this.#fetch(segment);
      if (!bytes || this.#isClosed) return;
      await this.#append(buffer, segment, bytes);
      this.#busyTimes = 0;
    } catch (error) {
      this.#failed = { segment, here: this.#segmentAt(this.place), error };
      if (isBusy(error)) this.#askAgain();
    }
  }

  #askAgain(): void {
    this.#busyTimes += 1;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => {
      this.#failed = undefined;
      void this.#work();
    }, BUSY_MS);
  }

  /** Say what has failed, where the video has come to it. */
  #tell(): void {
    if (!this.#failed) return;
    const { segment, error } = this.#failed;
    const isHere = segment === this.#segmentAt(this.place);
    // It stops at the last picture before it.
    const isNext = segment === this.#segmentAt(this.place + 0.5);
    const hasStopped = this.video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    if (!isHere && !(isNext && hasStopped)) return;
    if (isBusy(error) && this.#busyTimes < BUSY_TIMES) return;
    // What a browser throws is for programmers.
    this.onFailure(error instanceof Refusal ? error : new Error(words.player.brokenPreview));
  }

  /** Undefined: it was given up. */
  async #fetch(segment: number): Promise<ArrayBuffer | undefined> {
    const abort = new AbortController();
    this.#asked = { segment, abort };
    try {
      return await ask(answerOf(`${this.preview.url}/${segment}`, abort.signal));
    } catch (error) {
      if (abort.signal.aborted) return undefined;
      throw error;
    } finally {
      this.#asked = undefined;
    }
  }

  async #append(buffer: SourceBuffer, segment: number, bytes: ArrayBuffer): Promise<void> {
    await this.#keep(buffer, this.place - KEPT_S, this.place + KEPT_S);
    buffer.timestampOffset = segment * this.preview.segment_seconds;
    try {
      buffer.appendBuffer(bytes);
    } catch (error) {
      if (!isFull(error)) throw error;
      await this.#keep(buffer, this.place, segment * this.preview.segment_seconds);
      buffer.appendBuffer(bytes);
    }
    await ended(buffer);
    this.#appended.add(segment);
  }

  /** Forget all but the segments of a range of seconds. */
  async #keep(buffer: SourceBuffer, from: number, to: number): Promise<void> {
    await this.#forget(buffer, 0, this.#segmentAt(from));
    await this.#forget(buffer, this.#segmentAt(to) + 1, this.preview.segments);
  }

  /** Take the segments from `first` to before `stop` out of the buffer. */
  async #forget(buffer: SourceBuffer, first: number, stop: number): Promise<void> {
    const old = [...this.#appended].filter((one) => one >= first && one < stop);
    if (old.length === 0) return;
    const length = this.preview.segment_seconds;
    buffer.remove(first * length, stop === this.preview.segments ? Infinity : stop * length);
    await ended(buffer);
    old.forEach((one) => this.#appended.delete(one));
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Refusal && error.status === 503;
}

/** Whether a buffer takes no more. */
function isFull(error: unknown): boolean {
  return error instanceof Error && error.name === "QuotaExceededError";
}

function ended(buffer: SourceBuffer): Promise<void> {
  return new Promise((resolve) => {
    // After an error, too, which the <video> tells.
    buffer.addEventListener("updateend", () => resolve(), { once: true });
  });
}

async function answerOf(url: string, signal: AbortSignal) {
  const response = await fetch(url, { signal });
  if (response.ok) return { data: await response.arrayBuffer(), response };
  return { error: (await response.json()) as unknown, response };
}
