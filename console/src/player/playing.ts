/** One file that is played: where it is, how fast, and what moves it. */
import { computed, signal } from "@preact/signals";
import { Feed } from "./feed";
import { picturesOf } from "./pictures";

const FASTEST = 8;

export class Playing {
  readonly feed: Feed;
  readonly time = signal(0);
  readonly isPlaying = signal(false);
  readonly isMuted = signal(false);
  /** Below 0: backwards. */
  readonly speed = signal(1);
  readonly isUneven = signal(false); // its pictures come at other times than its rate says
  readonly duration = computed(() => this.feed.playback.value?.duration_seconds ?? 0);
  readonly pictures = computed(() =>
    picturesOf(this.feed.playback.value?.rate, this.isUneven.value),
  );

  #video: HTMLVideoElement | null = null;
  #wanted = 0; // seconds that were asked for last
  #frame = 0; // what is done at the next one

  constructor(mediaPath: string, cacheDir: string | undefined) {
    this.feed = new Feed(mediaPath, cacheDir, {
      place: () => this.time.peek(),
      onKnown: () => this.seek(this.#wanted), // only now is it known when which picture is shown
      onNothing: () => this.pause(),
    });
  }

  /** The element that plays; null: it is gone. */
  attach(video: HTMLVideoElement | null): void {
    this.#video = video;
    this.feed.attach(video);
  }

  /** Stop all that is under way. */
  close(): void {
    this.feed.close();
    this.isPlaying.value = false;
  }

  /** Whether the pictures come unevenly, which is known later than the rate. */
  setUneven(isUneven: boolean): void {
    const isThere = this.time.peek() === this.pictures.peek().middle(this.#wanted);
    this.isUneven.value = isUneven;
    if (isThere) this.seek(this.#wanted);
  }

  /** Show the picture of a time, exactly. */
  seek(seconds: number): void {
    this.#wanted = seconds;
    const last = this.pictures.peek().middle(Math.max(0, this.duration.peek() - 0.001));
    const wanted = this.pictures.peek().middle(Math.max(0, seconds));
    this.#goTo(this.duration.peek() > 0 ? Math.min(wanted, last) : wanted);
  }

  /** So many pictures on. */
  step(pictures: number): void {
    this.pause();
    this.#goTo(this.pictures.peek().step(this.time.peek(), pictures));
  }

  toggle(): void {
    if (this.isPlaying.peek()) this.pause();
    else this.play();
  }

  /** Where the browser refuses, because nobody has touched the page, it stays paused. */
  play(speed = 1): void {
    this.speed.value = speed;
    this.isPlaying.value = true;
    if (this.feed.isOpen) this.#go();
  }

  pause(): void {
    this.isPlaying.value = false;
    this.speed.value = 1;
    this.#video?.pause();
  }

  /** Forwards (1) or backwards (-1); again: faster. */
  shuttle(way: 1 | -1): void {
    const now = this.isPlaying.peek() ? this.speed.peek() : 0;
    const next = now * way > 0 ? now * 2 : way;
    this.play(Math.max(-FASTEST, Math.min(FASTEST, next)));
  }

  toggleSound(): void {
    this.isMuted.value = !this.isMuted.peek();
  }

  /** What the <video> tells. */
  readonly events = {
    onLoadedMetadata: (): void => {
      const video = this.#video;
      if (!video || !this.feed.hasBegun(video)) return;
      video.currentTime = this.time.peek();
      if (this.isPlaying.peek()) this.#go();
    },
    onTimeUpdate: (): void => {
      const video = this.#video;
      if (!video || !this.feed.isOpen) return;
      if (!video.seeking && !video.paused) this.time.value = video.currentTime;
      this.feed.moveTo(video.currentTime);
    },
    onWaiting: (): void => void (this.feed.isWaiting.value = true),
    onSeeking: (): void => void (this.feed.isWaiting.value = true),
    onSeeked: (): void => this.feed.hasShown(),
    onCanPlay: (): void => this.feed.hasShown(),
    onPlaying: (): void => {
      this.feed.hasShown();
      if (this.speed.peek() > 0) this.#followTime();
    },
    onEnded: (): void => this.pause(),
    onError: (): void => this.feed.broke(),
  };

  #goTo(seconds: number): void {
    this.time.value = seconds;
    if (this.feed.isOpen && this.#video) this.#video.currentTime = seconds;
    this.feed.moveTo(seconds);
  }

  #go(): void {
    const video = this.#video;
    const speed = this.speed.peek();
    if (!video) return;
    if (speed < 0) {
      video.pause();
      this.#backwards(performance.now());
      return;
    }
    video.playbackRate = speed;
    video.play().catch((error: unknown) => {
      // AbortError: another source, or a pause, came between.
      if (error instanceof DOMException && error.name === "NotAllowedError") this.pause();
    });
  }

  /** No browser plays backwards: show one picture after the other, as fast as they come. */
  #backwards(since: number): void {
    this.#atFrame((now) => {
      const isOver = !this.isPlaying.peek() || this.speed.peek() > 0;
      if (isOver || !this.#video) return;
      if (this.time.peek() <= 0) return this.pause();
      if (this.#video.seeking) return this.#backwards(since);
      this.#goTo(Math.max(0, this.time.peek() + ((now - since) / 1000) * this.speed.peek()));
      this.#backwards(now);
    });
  }

  /** The time of each picture that is shown, as `timeupdate` comes four times a second only. */
  #followTime(): void {
    this.#atFrame(() => {
      const video = this.#video;
      if (!video || video.paused || !this.feed.isOpen) return;
      if (!video.seeking) this.time.value = video.currentTime;
      this.#followTime();
    });
  }

  /** One thing at a time follows the frames: the one that came last. */
  #atFrame(run: FrameRequestCallback): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(run);
  }
}
