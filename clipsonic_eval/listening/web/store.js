"use strict";

// What must outlive the page: answers until the server has them, and which session this is. Every answer has a key of its
// own, so that two tabs never overwrite each other's. Without storage (a private window) the memory of the page serves.
class Store {
  constructor(prefix) {
    this.prefix = prefix;
    this.memory = new Map();
    this.lasting = true;
    try {
      localStorage.setItem(prefix + "probe", "1");
      localStorage.removeItem(prefix + "probe");
    } catch {
      this.lasting = false;
    }
  }

  get(key) {
    const text = this.memory.get(key) ?? (this.lasting ? localStorage.getItem(this.prefix + key) : null);
    return text == null ? null : JSON.parse(text);
  }

  // Whether it outlives the page.
  set(key, value) {
    const text = JSON.stringify(value);
    try {
      if (!this.lasting) throw new Error("no storage");
      localStorage.setItem(this.prefix + key, text);
      this.memory.delete(key);
      return true;
    } catch {
      this.memory.set(key, text);
      return false;
    }
  }

  remove(key) {
    this.memory.delete(key);
    if (this.lasting) localStorage.removeItem(this.prefix + key);
  }

  keys(start) {
    const found = new Set(this.memory.keys());
    for (let i = 0; this.lasting && i < localStorage.length; i++) {
      const key = localStorage.key(i);
      if (key.startsWith(this.prefix)) found.add(key.slice(this.prefix.length));
    }
    return [...found].filter((key) => key.startsWith(start)).sort();
  }
}

class Refused extends Error {}

// Sends JSON; throws Refused where trying again would not help, any other error where it may.
async function post(path, value) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
    cache: "no-store",
    signal: AbortSignal.timeout(10000),
  });
  const found = await response.json().catch(() => ({}));
  if (response.ok) return found;
  const words = found.error || `the server answered ${response.status}`;
  const final = response.status < 500 && !TRY_AGAIN.includes(response.status);
  throw final ? new Refused(words) : new Error(words);
}

const TRY_AGAIN = [408, 425, 429]; // of the refusals by 4xx

// A while, or until the network is back.
const pause = (ms) =>
  new Promise((done) => {
    setTimeout(done, ms);
    addEventListener("online", done, { once: true });
  });

// Calls an action until it does not fail, waiting longer each time, up to three seconds.
async function persist(action, failed) {
  for (let tries = 0; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (error instanceof Refused) throw error;
      failed();
      await pause(Math.min(3000, 250 * 2 ** tries));
    }
  }
}

// Keeps the answers of one session and brings them to the server, one POST each, until it acknowledges them.
class Answers {
  constructor(store, session, send, changed) {
    Object.assign(this, { store, session, send, changed, refusal: "", cutOff: false, running: null });
  }

  key(step) {
    return `answer:${this.session}:${step}`;
  }

  all() {
    return this.store.keys(`answer:${this.session}:`).map((key) => this.store.get(key));
  }

  has(step) {
    return this.store.get(this.key(step)) !== null;
  }

  waiting() {
    return this.all().filter((one) => !one.sent);
  }

  // The first answer to a step stands. Whether the page may go on: not before the server has an answer that would not
  // outlive the page.
  async add(answer) {
    if (this.has(answer.step)) return;
    const lasting = this.store.set(this.key(answer.step), { ...answer, sent: false });
    const sending = this.flush();
    if (lasting) sending.catch(() => {}); // what was refused is kept, and said by changed()
    else await sending;
  }

  flush() {
    if (!this.send) return Promise.resolve();
    this.running ??= this.work().finally(() => (this.running = null));
    return this.running;
  }

  async work() {
    for (let next; (next = this.waiting()[0]); ) {
      const { sent, ...answer } = next;
      try {
        await persist(() => this.send(answer), () => this.lost(true));
      } catch (error) {
        this.refusal = error.message;
        this.changed();
        throw error;
      }
      this.store.set(this.key(answer.step), { ...answer, sent: true });
      this.lost(false);
    }
  }

  lost(cutOff) {
    this.cutOff = cutOff;
    this.changed();
  }
}
