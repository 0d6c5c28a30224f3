"use strict";

// The sounds of a session: fetched ahead as Blobs from a server, or named beside the page where there is none.
class Sounds {
  constructor(fetching, failed) {
    Object.assign(this, { fetching, failed, addresses: new Map() });
  }

  address(name) {
    if (!this.fetching) return Promise.resolve(`clips/${name}`);
    if (!this.addresses.has(name)) this.addresses.set(name, persist(() => this.blob(name), this.failed));
    return this.addresses.get(name);
  }

  async blob(name) {
    const response = await fetch(`clips/${name}`, { signal: AbortSignal.timeout(60000) });
    if (response.status === 404) throw new Refused(`the sound ${name} is not there`);
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return URL.createObjectURL(await response.blob());
  }

  // Forgets all sounds but these, and begins to fetch those of them that are not here.
  keep(names) {
    for (const [name, address] of this.addresses) {
      if (names.includes(name)) continue;
      this.addresses.delete(name);
      address.then(URL.revokeObjectURL, () => {});
    }
    for (const name of this.fetching ? names : []) this.address(name).catch(() => {});
  }
}

const AGAIN = "The sound is loaded now: please press once more.";

// Plays the sounds of one trial, one at a time, each from its beginning, and knows what share of each was heard.
class Player {
  constructor(names, sounds, changed, refused) {
    Object.assign(this, { changed, current: -1, over: false, whole: names.map(() => false) });
    this.refused = (why) => this.over || refused(why);
    this.ready = Promise.all(
      names.map(async (name, i) => {
        const audio = new Audio();
        audio.preload = "auto";
        audio.src = await sounds.address(name);
        audio.addEventListener("ended", () => this.finished(i));
        for (const event of ["play", "pause", "timeupdate"]) audio.addEventListener(event, () => changed());
        audio.addEventListener("error", () => this.refused(`a sound cannot be played (${audio.error?.message || "no reason given"})`));
        return audio;
      }),
    ).then((audios) => {
      this.audios = audios;
      changed();
    }, (error) => this.refused(error.message));
  }

  async toggle(i) {
    if (!this.audios) await this.ready; // Safari plays what a key or a click plays at once, and refuses what it plays later
    const audio = this.audios?.[i];
    if (!audio) return;
    const playing = !audio.paused;
    this.stop();
    if (playing) return;
    this.current = i;
    audio.currentTime = 0;
    await audio.play().then(() => said() === AGAIN && say(""), (error) => this.failed(error));
  }

  failed(error) {
    if (error.name === "NotAllowedError") say(AGAIN);
    else if (error.name !== "AbortError") this.refused(error.message);
  }

  stop() {
    for (const audio of this.audios || []) audio.pause();
  }

  // Its sounds may be forgotten now: what they complain of is no matter.
  end() {
    this.over = true;
    this.stop();
  }

  playing(i) {
    return Boolean(this.audios) && !this.audios[i].paused;
  }

  // Nobody can seek here, but for the media keys of a keyboard: the end counts only with what came before it.
  finished(i) {
    if (this.share(i) > 0.9) this.whole[i] = true;
    this.changed();
  }

  // The share of a sound that was heard, 0 to 1.
  share(i) {
    if (this.whole[i]) return 1;
    const audio = this.audios?.[i];
    if (!audio || !audio.duration) return 0;
    let heard = 0;
    for (let k = 0; k < audio.played.length; k++) heard += audio.played.end(k) - audio.played.start(k);
    return Math.min(1, heard / audio.duration);
  }
}
