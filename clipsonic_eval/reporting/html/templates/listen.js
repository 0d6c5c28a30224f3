(() => {
  if (!$("#data")) return;
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    return element.append(...children), element;
  };

  // sounds: taken out of the page's own text at first play, the oldest given back
  const data = JSON.parse($("#data").textContent);
  const addresses = new Map();
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  let read = []; // the query whose block was read last, and the block
  const block = (i) => (read = read[0] === i ? read : [i, JSON.parse($(`#m${i}`).textContent)])[1];
  const file = (folder, i, suffix) => [data.folder, folder, data.queries[i].key].map(encodeURIComponent).join("/") + suffix;
  const soundAddress = (i, s) => {
    if (data.folder) return file(data.systems[s].name, i, data.suffix);
    const name = `${i} ${s}`;
    const known = addresses.get(name) ?? URL.createObjectURL(new Blob([bytes(block(i).sounds[data.systems[s].name])], { type: data.mime }));
    addresses.delete(name);
    addresses.set(name, known); // the youngest
    const [oldest, address] = addresses.entries().next().value;
    if (addresses.size > 30 && !oldest.startsWith(`${i} `)) {
      URL.revokeObjectURL(address);
      addresses.delete(oldest);
    }
    return known;
  };
  const imageAddress = (i, images, name) => {
    if (data.folder) return file(name ?? "pictures", i, ".webp");
    return `data:image/webp;base64,${name ? images.spectrograms[name] : images.picture}`;
  };

  // queries: what is shown, in which order
  const items = $$("#queries > li");
  const headings = items.map((item) => $("h3", item).textContent);
  const texts = data.queries.map((query) => [query.text, query.key, query.label, ...query.findings].join(" ").toLowerCase());
  const REMEMBERED = ["find", "group", "by", "of", "minus"]; // with the query, in the address
  const control = Object.fromEntries([...REMEMBERED, "reverse", "blind"].map((id) => [id, $(`#${id}`)]));
  let draw = 0; // of the blind order
  const mixed = (number) => Math.imul((number = Math.imul(number ^ (number >>> 16), 0x45d9f3b)) ^ (number >>> 16), 0x45d9f3b) >>> 0;
  const hidden = () => new Set($$(".shown").filter((box) => !box.checked).map((box) => Number(box.value)));
  const takesOf = (i) => {
    const away = hidden();
    const order = data.systems.map((_, s) => s).filter((s) => data.queries[i].seconds[s] && !away.has(s));
    if (!control.blind.checked) return order;
    return order.sort((a, b) => mixed(mixed(draw + i) + a) - mixed(mixed(draw + i) + b));
  };
  const nameOf = (i, s) =>
    control.blind.checked ? `System ${String.fromCharCode(65 + takesOf(i).indexOf(s))}` : data.systems[s].name;
  const valueOf = (i, m, s) => data.queries[i].values[m]?.[s] ?? null;
  const shown = (m, value) => value.toFixed(data.metrics[m].decimals).replace("-", "−");

  const sortValue = (i) => {
    const [m, s, t] = [control.by.value, control.of.value, control.minus.value];
    const value = valueOf(i, m, s);
    return value === null || t === "" ? value : valueOf(i, m, t) === null ? null : value - valueOf(i, m, t);
  };
  const ordered = () => {
    const order = items.map((_, i) => i);
    if (control.by.value === "prompt") order.sort((a, b) => texts[a].localeCompare(texts[b]));
    else if (control.by.value !== "") {
      const values = order.map(sortValue);
      order.sort((a, b) => (values[a] === null) - (values[b] === null) || values[a] - values[b] || a - b);
    }
    return control.reverse.checked ? order.reverse() : order;
  };
  const list = $("#queries");
  const update = () => {
    const words = control.find.value.toLowerCase().split(/\s+/);
    let count = 0;
    items.forEach((item, i) => {
      const fits = !control.group.value || data.queries[i].groups.includes(control.group.value);
      const shown = fits && words.every((word) => texts[i].includes(word));
      if (item.hidden === shown) item.hidden = !shown;
      count += shown;
    });
    control.of.disabled = control.minus.disabled = !/^\d/.test(control.by.value);
    const order = ordered();
    if (order.some((i, place) => list.children[place] !== items[i])) list.append(...order.map((i) => items[i]));
    $("#count").textContent = `${count} of ${items.length} queries`;
    remember();
  };

  // the takes of a query: built when they come near the window
  const valuesOf = (i, s) =>
    data.metrics.flatMap(({ title }, m) => (valueOf(i, m, s) === null ? [] : [[title, shown(m, valueOf(i, m, s))]]));
  const take = (i, s, place, images) => {
    const blind = control.blind.checked;
    const name = nameOf(i, s);
    const values = blind ? [] : valuesOf(i, s);
    const button = make("button", { type: "button", className: "take", ariaPressed: "false" },
      ...(place < 10 ? [make("kbd", { textContent: (place + 1) % 10 })] : []), ` ${name}`);
    on(button, "click", () => (player.query === i && player.system === s ? toggle() : select(i, s, true)));
    const image = make("img", { alt: blind ? `Spectrogram of ${name}` : `Spectrogram of ${name} for ${headings[i]}. ${values.map((pair) => pair.join(" ")).join(", ")}` });
    image.src = imageAddress(i, images, data.systems[s].name);
    const strip = make("div", { className: "strip" }, image, make("span", { className: "cursor" }));
    on(strip, "click", (event) => {
      select(i, s, true);
      seek((event.offsetX / strip.clientWidth) * data.queries[i].seconds[s]);
    });
    const item = make("li", { className: blind ? "blind" : `s${s}` }, button, strip);
    for (const [title, value] of values) item.append(make("p", {}, title, make("span", { textContent: value })));
    item.dataset.system = s;
    return item;
  };
  const build = (item) => {
    const i = items.indexOf(item);
    const images = data.folder ? null : block(i);
    $(".takes", item).replaceChildren(...takesOf(i).map((s, place) => take(i, s, place, images)));
    $$("img.query", item).forEach((picture) => (picture.src = imageAddress(i, images)));
    item.dataset.built = "";
    waiting.delete(item);
    mark();
  };
  const waiting = new Set(); // one after each frame, so that a key is answered in between
  const soon = () => waiting.size && requestAnimationFrame(() => setTimeout(buildNext));
  const buildNext = () => {
    for (const item of [...waiting].slice(0, 1)) build(item);
    soon();
  };
  const near = new IntersectionObserver((entries) => {
    const idle = !waiting.size;
    for (const { isIntersecting, target } of entries) waiting[isIntersecting && target.dataset.built === undefined ? "add" : "delete"](target);
    if (idle) soon();
  }, { rootMargin: "600px" });
  items.forEach((item) => near.observe(item));
  on(window, "beforeprint", () => items.filter((item) => !item.hidden).forEach(build));

  // playing: all takes of a query run together and one is heard, so that a change keeps the position
  const player = { query: -1, system: -1, before: -1, takes: new Map(), playing: false, part: [] }; // part: seconds, from and to
  const APART = 0.02; // seconds that the takes may be apart before one is moved
  const heard = () => player.takes.get(player.system);
  const mark = () => {
    const own = player.query < 0 ? [] : $$(".takes > li", items[player.query]);
    for (const item of [...$$(".on", list), ...own]) {
      const chosen = own.includes(item) && Number(item.dataset.system) === player.system;
      item.classList.toggle("on", chosen);
      $("button", item).ariaPressed = String(chosen && player.playing);
    }
    $("#play").textContent = player.playing ? "Pause" : "Play";
    $("#play").ariaPressed = String(player.playing);
    const [from, to] = player.part.map((seconds) => seconds.toFixed(2));
    $("#part").textContent = to ? `Repeats ${from}–${to} s` : from ? `From ${from} s … to here` : "Repeat a part";
    if (player.query >= 0) $("#now").textContent = `${nameOf(player.query, player.system)}: ${headings[player.query]}`;
  };
  const follow = () => {
    const sound = heard();
    if (!sound) return;
    const share = sound.duration ? sound.currentTime / sound.duration : 0;
    $("#place").value = 1000 * share;
    $$(".on .cursor").forEach((cursor) => (cursor.style.left = `${100 * share}%`));
    if (sound.currentTime >= player.part[1]) seek(player.part[0]);
    else if (sound.ended) run(false);
    player.takes.forEach(align);
    if (player.playing) requestAnimationFrame(follow);
  };
  const align = (other) => {
    const place = Math.min(heard().currentTime, other.duration || 0);
    if (other !== heard() && !other.seeking && Math.abs(other.currentTime - place) > APART) other.currentTime = place;
  };
  const run = (playing) => {
    player.playing = playing;
    player.takes.forEach((sound) => (playing ? sound.play().catch(() => {}) : sound.pause()));
    requestAnimationFrame(follow);
    mark();
  };
  const toggle = () => (player.query < 0 ? move(1) : run(!player.playing));
  const seek = (seconds) => {
    player.takes.forEach((sound) => (sound.currentTime = Math.max(0, Math.min(seconds, sound.duration || seconds))));
    requestAnimationFrame(follow);
  };
  const volume = (i, s) => ($("#level")?.checked ? data.queries[i].volumes[s] : 1);
  const open = (i) => {
    run(false), Object.assign(player, { query: i, part: [] });
    player.takes.forEach((sound) => (sound.removeAttribute("src"), sound.load())); // before their address may be freed
    player.takes = new Map(takesOf(i).map((s) => {
      const sound = new Audio(soundAddress(i, s));
      return [s, Object.assign(sound, { preload: "auto", loop: $("#loop").checked, muted: true, volume: volume(i, s) })];
    }));
    items.forEach((item, j) => item.toggleAttribute("aria-current", i === j));
    $("#place").disabled = false;
  };
  const select = (i, s, play) => {
    if (i !== player.query) open(i);
    const next = player.takes.get(s);
    if (!next) return;
    if (heard()) align(next);
    player.takes.forEach((sound) => (sound.muted = sound !== next));
    if (s !== player.system) [player.before, player.system] = [player.system, s];
    if (play && !player.playing) run(true);
    mark();
    remember();
  };
  const repeat = () => { // from here, to here, and all again
    if (!heard()) return;
    player.part = player.part.length < 2 ? [...player.part, heard().currentTime].sort((a, b) => a - b) : [];
    mark();
  };
  const show = (i, s, play, block) => {
    const own = takesOf(i);
    if (!own.length) return;
    items[i].hidden = false;
    build(items[i]);
    items[i].scrollIntoView({ block });
    select(i, own.includes(s) ? s : own[0], play);
  };
  const visible = () => [...list.children].filter((item) => !item.hidden).map((item) => items.indexOf(item));
  const current = () => (player.query < 0 ? visible()[0] : player.query);
  const move = (step) => {
    const order = visible();
    const i = order[player.query < 0 ? 0 : order.indexOf(player.query) + step];
    if (i !== undefined) show(i, player.system, true, "nearest");
  };
  const change = (step) => {
    const own = takesOf(current());
    select(current(), own[(own.indexOf(player.system) + step + own.length) % own.length], player.playing);
  };

  // controls and keys
  on($("#play"), "click", toggle);
  on($("#place"), "input", (event) => seek((event.target.value / 1000) * (heard()?.duration || 0)));
  on($("#loop"), "change", (event) => player.takes.forEach((sound) => (sound.loop = event.target.checked)));
  $$("#level").forEach((box) => on(box, "change", () => player.takes.forEach((sound, s) => (sound.volume = volume(player.query, s)))));
  on($("#part"), "click", repeat);
  on($("#ask"), "click", () => $("#help").showModal());
  on($("form.controls"), "submit", (event) => event.preventDefault());
  for (const id of [...REMEMBERED, "reverse"]) on(control[id], "input", update);
  const reopen = () => {
    draw = Math.floor(Math.random() * 2 ** 31);
    if (player.query >= 0) open(player.query), select(player.query, takesOf(player.query)[0], false);
    items.filter((item) => item.dataset.built !== undefined).forEach(build);
  };
  [control.blind, ...$$(".shown")].forEach((box) => on(box, "change", reopen));
  const keys = {
    ArrowRight: () => change(1),
    ArrowLeft: () => change(-1),
    j: () => move(1),
    k: () => move(-1),
    x: () => select(player.query, player.before, player.playing),
    r: repeat,
    l: () => $("#loop").click(),
    b: () => control.blind.click(),
    e: () => $("#level")?.click(),
    "?": () => $("#ask").click(),
    "/": () => control.find.focus(),
    ",": () => heard() && seek(heard().currentTime - 0.1 * heard().duration),
    ".": () => heard() && seek(heard().currentTime + 0.1 * heard().duration),
  };
  on(window, "keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !$("#letters").checked) return;
    if (event.key === " " && event.target.closest("button, summary, input, a")) return;
    const digit = "1234567890".indexOf(event.key);
    if (digit >= 0 && current() !== undefined) select(current(), takesOf(current())[digit], true);
    else if (event.key === " ") toggle();
    else if (Object.hasOwn(keys, event.key)) keys[event.key]();
    else return;
    event.preventDefault();
  });

  // the state as the end of the address, to be passed on
  let later = 0;
  const remember = () => (clearTimeout(later), (later = setTimeout(write, 200))); // a browser allows so many changes a second
  const write = () => {
    const state = new URLSearchParams();
    if (player.query >= 0) state.set("q", data.queries[player.query].key);
    if (player.query >= 0 && !control.blind.checked) state.set("system", data.systems[player.system]?.name ?? "");
    for (const id of REMEMBERED) if (control[id].value !== (control[id].options?.[0].value ?? "")) state.set(id, control[id].value);
    if (control.reverse.checked) state.set("reverse", "1");
    if (`${state}` || location.hash.includes("=")) history.replaceState(null, "", `#${state}`);
  };
  const recall = () => {
    const state = new URLSearchParams(location.hash.slice(1));
    for (const id of REMEMBERED) if (state.has(id)) control[id].value = state.get(id);
    control.reverse.checked = state.has("reverse") || control.reverse.checked;
    const i = data.queries.findIndex((query) => query.key === state.get("q"));
    const s = data.systems.findIndex((system) => system.name === state.get("system"));
    update();
    if (i >= 0) show(i, s, false, "start");
  };
  on(window, "hashchange", recall);
  recall();
})();
