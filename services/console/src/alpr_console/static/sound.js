// Tones for new alerts, made by Web Audio: no sound files, nothing to load in the moment that counts.
//
// Browsers keep a page silent until somebody touches it; the button in the bar says so and is that
// touch. An urgent alert sounds again until somebody opens or silences it; a notice sounds once.

const AGAIN_EVERY_MS = 5_000;
const URGENT_AT_MOST_MS = 120_000; // then the alert escalates to Communications anyway
const MUTED_KEY = "alpr.sound.muted";

const TONES = {
  // [frequency in Hz, start in s, length in s]: rising pairs for urgent, two soft steps for notice.
  urgent: { level: 0.5, shape: "triangle", notes: [[784, 0, 0.16], [1175, 0.18, 0.16], [784, 0.42, 0.16], [1175, 0.6, 0.3]] },
  notice: { level: 0.28, shape: "sine", notes: [[587, 0, 0.14], [740, 0.18, 0.26]] },
};

export class Sounder extends EventTarget {
  #context = null;
  #sounding = new Map(); // alert id → when its sound began
  #timer = null;

  get muted() { return localStorage.getItem(MUTED_KEY) === "yes"; }
  get blocked() { return this.#context?.state !== "running"; }
  get state() { return this.muted ? "muted" : this.blocked ? "blocked" : "on"; }
  get sounding() { return this.#sounding.size > 0; }

  // Try to get a running context; only a touch makes that succeed.
  async enable() {
    this.#context ??= new AudioContext();
    this.#context.onstatechange = () => this.#changed();
    await Promise.race([this.#context.resume(), new Promise((done) => setTimeout(done, 300))]);
    this.#changed();
    return !this.blocked;
  }

  async toggle() {
    if (this.muted || this.blocked) {
      localStorage.removeItem(MUTED_KEY);
      if (await this.enable()) this.#play(TONES.notice);
    } else {
      localStorage.setItem(MUTED_KEY, "yes");
    }
    this.#changed();
  }

  sound(alertId, kind) {
    if (!TONES[kind]) return;
    this.#play(TONES[kind]);
    if (kind !== "urgent") return;
    if (navigator.vibrate && navigator.userActivation?.hasBeenActive) navigator.vibrate([180, 90, 180]);
    this.#sounding.set(alertId, Date.now());
    this.#timer ??= setInterval(() => this.#again(), AGAIN_EVERY_MS);
    this.#changed();
  }

  acknowledge(alertId) {
    if (this.#sounding.delete(alertId)) this.#changed();
  }

  acknowledgeAll() {
    this.#sounding.clear();
    this.#changed();
  }

  #again() {
    for (const [alertId, began] of this.#sounding) {
      if (Date.now() - began > URGENT_AT_MOST_MS) this.#sounding.delete(alertId);
    }
    if (this.sounding) {
      this.#play(TONES.urgent);
    } else {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    this.#changed();
  }

  #play({ level, shape, notes }) {
    if (this.state !== "on") return;
    const context = this.#context;
    for (const [frequency, start, length] of notes) {
      const at = context.currentTime + start;
      const tone = new OscillatorNode(context, { type: shape, frequency });
      const volume = new GainNode(context, { gain: 0 });
      // Soft edges: a tone that is cut off clicks.
      volume.gain.setValueAtTime(0, at);
      volume.gain.linearRampToValueAtTime(level, at + 0.015);
      volume.gain.setValueAtTime(level, at + length - 0.05);
      volume.gain.linearRampToValueAtTime(0, at + length);
      tone.connect(volume).connect(context.destination);
      tone.start(at);
      tone.stop(at + length);
    }
    this.dispatchEvent(new Event("played"));
  }

  #changed() { this.dispatchEvent(new Event("changed")); }
}
