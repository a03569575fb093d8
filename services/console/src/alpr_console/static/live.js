// The live stream: an EventSource that says when it is lost, tries again, and goes on where it was.

const HEARTBEATS_MISSED_MS = 32_000; // the server sends one every 10 s
const TRY_AGAIN_MS = [1_000, 2_000, 4_000, 8_000, 15_000];

export class Live extends EventTarget {
  #source = null;
  #lastId = null;
  #watchdog = null;
  #retry = null;
  #tries = 0;
  state = "starting";

  // `position`: where the list that is shown stood.
  start(position = null) {
    this.#lastId ??= position;
    clearTimeout(this.#retry);
    this.#retry = null;
    this.#source?.close();
    // EventSource sends Last-Event-ID only when it reconnects by itself, not when we make a new one.
    const resumed = this.#lastId !== null && this.#lastId !== undefined;
    const address = resumed ? `/board/stream?after=${encodeURIComponent(this.#lastId)}` : "/board/stream";
    const source = new EventSource(address);
    this.#source = source;
    this.#watch();
    source.addEventListener("ready", () => {
      this.#tries = 0;
      this.#watch();
      this.#become("live");
      this.dispatchEvent(new CustomEvent("ready", { detail: { resumed } }));
    });
    source.addEventListener("heartbeat", () => this.#watch());
    source.addEventListener("alert", (event) => {
      this.#watch();
      if (event.lastEventId) this.#lastId = event.lastEventId;
      this.dispatchEvent(new CustomEvent("alert", { detail: JSON.parse(event.data) }));
    });
    source.addEventListener("trouble", (event) => this.#lose(JSON.parse(event.data)));
    source.addEventListener("error", () => this.#lose(null));
  }

  stop() {
    clearTimeout(this.#retry);
    clearTimeout(this.#watchdog);
    this.#source?.close();
    this.#become("stopped");
  }

  #watch() {
    clearTimeout(this.#watchdog);
    // A phone that drives into a tunnel gets no error, only silence.
    this.#watchdog = setTimeout(() => this.#lose(null), HEARTBEATS_MISSED_MS);
  }

  #lose(trouble) {
    clearTimeout(this.#watchdog);
    this.#source?.close();
    if (this.#retry !== null || this.state === "refused") return;
    if (trouble && trouble.status >= 400 && trouble.status < 500 && trouble.status !== 401) {
      this.#become("refused", trouble); // asking again would not change that
      return;
    }
    const wait = TRY_AGAIN_MS[Math.min(this.#tries, TRY_AGAIN_MS.length - 1)];
    this.#tries += 1;
    this.#retry = setTimeout(() => this.start(), wait);
    if (trouble && trouble.status === 401) this.dispatchEvent(new Event("signed-out"));
    // A token's end closes the stream in the ordinary course; that alone is no reason to alarm.
    if (this.#tries > 1 || trouble || !navigator.onLine) {
      this.#become("lost", trouble);
    } else {
      setTimeout(() => { if (this.#retry !== null || this.#source?.readyState !== EventSource.OPEN) this.#become("lost"); }, 2_500);
    }
    this.dispatchEvent(new Event("interrupted"));
  }

  #become(state, trouble = null) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, trouble } }));
  }
}
