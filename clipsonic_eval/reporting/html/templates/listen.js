(() => {
  if (!$("#data")) return;
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    return element.append(...children), element;
  };

  // sounds: taken out of the page's own text at first play, the oldest given back
  const data = JSON.parse($("#data").textContent);
  const addresses = new Map();
  const bytes = (text) => {
    const letters = atob(text);
    const array = new Uint8Array(letters.length);
    for (let n = 0; n < array.length; n++) array[n] = letters.charCodeAt(n);
    return array;
  };
  let read = []; // the query whose block was read last, and the block
  const block = (i) => (read = read[0] === i ? read : [i, JSON.parse($(`#m${i}`).textContent)])[1];
  const file = (folder, i, suffix) => [data.folder, folder, data.queries[i].file].map(encodeURIComponent).join("/") + suffix;
  const soundAddress = (i, s) => {
    if (data.folder) return file(data.systems[s].folder, i, data.suffix);
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
  const imageAddress = (i, images, system) => {
    if (data.folder) return file(system?.folder ?? "pictures", i, ".webp");
    return `data:image/webp;base64,${system ? images.spectrograms[system.name] : images.picture}`;
  };

  // queries: what is shown, in which order
  const items = $$("#queries > li");
  const headings = items.map((item) => $("h3", item).textContent);
  const texts = data.queries.map((query) => [query.text, query.key, query.label, ...query.findings].join(" ").toLowerCase());
  const REMEMBERED = ["find", "group", "by", "of", "minus"]; // with the query, in the address
  const control = Object.fromEntries([...REMEMBERED, "reverse", "blind"].map((id) => [id, $(`#${id}`)]));
  let draw = 0; // of the blind order
  const mixed = (number) => Math.imul((number = Math.imul(number ^ (number >>> 16), 0x45d9f3b)) ^ (number >>> 16), 0x45d9f3b) >>> 0;
  const boxes = $$(".shown"); // one for each system
  const takesOf = (i) => {
    const order = data.systems.map((_, s) => s).filter((s) => data.queries[i].seconds[s] && boxes[s].checked);
    if (!control.blind.checked) return order;
    return order.sort((a, b) => mixed(mixed(draw + i) + a) - mixed(mixed(draw + i) + b));
  };
  const blindName = (place) => `System ${place < 26 ? String.fromCharCode(65 + place) : place + 1}`;
  const nameOf = (i, s) =>
    control.blind.checked ? blindName(takesOf(i).indexOf(s)) : data.systems[s].name;
  const valueOf = (i, m, s) => data.queries[i].values[m]?.[s] ?? null;
  const shown = (m, value) => value.toFixed(data.metrics[m].decimals).replace("-", "−");

  const sortValue = (i) => {
    const [m, s, t] = [control.by.value, control.of.value, control.minus.value];
    const value = valueOf(i, m, s);
    return value === null || t === "" ? value : valueOf(i, m, t) === null ? null : value - valueOf(i, m, t);
  };
  const letters = new Intl.Collator();
  const sorted = () => {
    const order = items.map((_, i) => i);
    if (control.by.value === "prompt") order.sort((a, b) => letters.compare(texts[a], texts[b]));
    else if (control.by.value !== "") {
      const values = order.map(sortValue);
      order.sort((a, b) => (values[a] === null) - (values[b] === null) || values[a] - values[b] || a - b);
    }
    return control.reverse.checked ? order.reverse() : order;
  };
  const list = $("#queries");
  let order = items.map((_, i) => i); // of all
  let fitting = order;
  let inside = [...order]; // the list: the queries that fit, soon all of them
  let [further, pause] = [0, 0]; // a timer; the time until which only keys are answered
  const extend = (count) => {
    clearTimeout(further);
    for (let place = 0; place < fitting.length; place++) {
      if (inside[place] === fitting[place]) continue;
      if (!count--) return (further = setTimeout(extend, Math.max(16, pause - performance.now()), 25));
      list.insertBefore(items[fitting[place]], items[inside[place]] ?? null);
      inside.splice(place, 0, fitting[place]);
    }
  };
  const fill = (count) => {
    const wanted = new Set(fitting);
    inside = inside.filter((i) => wanted.has(i) || items[i].remove());
    extend(count);
  };
  const filter = () => {
    const words = control.find.value.toLowerCase().split(/\s+/);
    const group = control.group.value;
    fitting = order.filter((i) => (!group || data.queries[i].groups.includes(group)) && words.every((word) => texts[i].includes(word)));
    fill(20);
    $("#count").textContent = `${fitting.length} of ${items.length} queries`;
    remember();
  };
  const sort = () => {
    control.of.disabled = control.minus.disabled = !/^\d/.test(control.by.value);
    const next = sorted();
    if (next.some((i, place) => i !== order[place])) inside = inside.filter((i) => items[i].remove());
    order = next;
    filter();
  };

  // the takes of a query: built when they come near the window
  const valuesOf = (i, s) =>
    data.metrics.flatMap(({ title }, m) => (valueOf(i, m, s) === null ? [] : [[title, shown(m, valueOf(i, m, s))]]));
  const take = (i, s, place, images) => {
    const blind = control.blind.checked;
    const name = nameOf(i, s);
    const values = blind ? [] : valuesOf(i, s);
    const button = make("button", { type: "button", className: "take", ariaPressed: "false" },
      ...(place < 20 ? [make("kbd", { textContent: `${place < 10 ? "" : "⇧"}${(place + 1) % 10}` })] : []), ` ${name}`);
    if (place < 20) button.ariaKeyShortcuts = `${place < 10 ? "" : "Shift+"}${(place + 1) % 10}`;
    on(button, "click", () => (query === i && player.chosen === s ? toggle() : select(i, s, true)));
    const image = make("img", { alt: blind ? `Spectrogram of ${name}` : `Spectrogram of ${name} for ${headings[i]}. ${values.map((pair) => pair.join(" ")).join(", ")}` });
    image.src = imageAddress(i, images, data.systems[s]);
    const strip = make("div", { className: "strip" }, image, make("span", { className: "cursor" }));
    on(strip, "click", (event) => {
      select(i, s, true);
      player.seek((event.offsetX / strip.clientWidth) * data.queries[i].seconds[s]);
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
  const waiting = new Set(); // one after each frame, and none while somebody types
  const soon = () => waiting.size && requestAnimationFrame(() => setTimeout(buildNext, pause - performance.now()));
  const buildNext = () => {
    if (performance.now() >= pause) for (const item of [...waiting].slice(0, 1)) build(item);
    soon();
  };
  const near = new IntersectionObserver((entries) => {
    const idle = !waiting.size;
    for (const { isIntersecting, target } of entries) waiting[isIntersecting && target.dataset.built === undefined ? "add" : "delete"](target);
    if (idle) soon();
  }, { rootMargin: "600px" });
  items.forEach((item) => near.observe(item));
  const forget = (item) => {
    $(".takes", item).replaceChildren();
    delete item.dataset.built;
    near.unobserve(item), near.observe(item); // it says again whether it is near
  };
  on(window, "beforeprint", () => (fill(items.length), fitting.forEach((i) => build(items[i]))));

  // playing
  let [query, before] = [-1, -1]; // that is heard; the system that was heard before
  let lit = null; // the take that is marked
  const light = (item, chosen) => {
    item?.classList.toggle("on", chosen);
    if (item) $("button", item).ariaPressed = String(chosen && player.playing);
  };
  const mark = () => {
    light(lit, false);
    lit = query < 0 ? null : $(`.takes > [data-system="${player.chosen}"]`, items[query]);
    light(lit, true);
    $("#play").textContent = player.playing ? "Pause" : "Play";
    $("#play").ariaPressed = String(player.playing);
    const [from, to] = player.part.map((seconds) => seconds.toFixed(2));
    $("#part").textContent = to ? `Repeats ${from}–${to} s` : from ? `From ${from} s … to here` : "Repeat a part";
    if (player.chosen >= 0) $("#now").textContent = `${nameOf(query, player.chosen)}: ${headings[query]}`;
  };
  const follow = (seconds, length) => {
    const share = length ? seconds / length : 0;
    const text = `${seconds.toFixed(1)} of ${length.toFixed(1)} s`;
    $("#place").value = 1000 * share;
    if ($("#time").textContent !== text) $("#time").textContent = $("#place").ariaValueText = text;
    if (lit) $(".cursor", lit).style.left = `${100 * share}%`;
  };
  const player = together({ loops: () => $("#loop").checked, level: (s) => ($("#level")?.checked ? data.queries[query].volumes[s] : 1), changed: mark, moved: follow });
  const toggle = () => (query < 0 ? move(1) : player.run(!player.playing));
  const skip = (share, { currentTime, duration } = player.heard() ?? {}) =>
    Number.isFinite(duration) && player.seek(currentTime + share * duration); // before it is read there is no length
  const open = (i) => {
    items[query]?.removeAttribute("aria-current");
    query = i;
    player.open(takesOf(i).map((s) => [s, soundAddress(i, s)]));
    items[i].ariaCurrent = "true";
    $("#place").disabled = false;
  };
  const select = (i, s, play) => {
    if (i !== query) open(i);
    if (!player.sounds.has(s)) return;
    if (s !== player.chosen) before = player.chosen;
    player.choose(s);
    if (play && !player.playing) player.run(true);
    mark();
    remember();
  };
  const show = (i, s, play, block) => {
    const own = takesOf(i);
    if (!own.length) return;
    if (!fitting.includes(i)) fitting = order.filter((j) => j === i || fitting.includes(j));
    if (!items[i].isConnected) fill(items.length);
    build(items[i]);
    items[i].scrollIntoView({ block });
    select(i, own.includes(s) ? s : own[0], play);
  };
  const current = () => (query < 0 ? fitting[0] : query);
  const move = (step) => {
    const i = fitting[query < 0 ? 0 : fitting.indexOf(query) + step];
    if (i !== undefined) show(i, player.chosen, true, "nearest");
  };
  const change = (step) => {
    const own = takesOf(current());
    select(current(), own[(own.indexOf(player.chosen) + step + own.length) % own.length], player.playing);
  };

  // controls and keys
  on($("#play"), "click", toggle);
  on($("#place"), "input", (event) => player.seek((event.target.value / 1000) * (player.heard().duration || 0)));
  $$("#loop, #level").forEach((box) => on(box, "change", player.settle));
  on($("#part"), "click", player.repeat);
  on($("#ask"), "click", () => $("#help").showModal());
  on($("form.controls"), "submit", (event) => event.preventDefault());
  on(control.find, "input", () => (pause = performance.now() + 100));
  for (const id of ["find", "group"]) on(control[id], "input", filter);
  for (const id of ["by", "of", "minus", "reverse"]) on(control[id], "input", sort);
  const reopen = (event) => {
    const [s, place, playing] = [player.chosen, player.heard()?.currentTime, player.playing];
    draw = Math.floor(Math.random() * 2 ** 31);
    const kept = query >= 0 && event.target !== control.blind && takesOf(query).includes(s); // goes on
    if (query >= 0) open(query), select(query, kept ? s : takesOf(query)[0], kept && playing);
    if (kept) player.seek(place);
    for (const item of items.filter((item) => item.dataset.built !== undefined)) {
      const { top, bottom } = item.getBoundingClientRect();
      if (top < innerHeight && bottom > 0) build(item);
      else forget(item);
    }
  };
  [control.blind, ...boxes].forEach((box) => on(box, "change", reopen));
  const keys = {
    ArrowRight: () => change(1),
    ArrowLeft: () => change(-1),
    j: () => move(1),
    k: () => move(-1),
    x: () => query >= 0 && select(query, before, player.playing),
    r: player.repeat,
    l: () => $("#loop").click(),
    b: () => control.blind.click(),
    e: () => $("#level")?.click(),
    "?": () => $("#ask").click(),
    "/": () => control.find.focus(),
    ",": () => skip(-0.1),
    ".": () => skip(0.1),
  };
  const digit = (text) => (/^\d$/.test(text) ? (Number(text) + 9) % 10 : -1);
  const systemOf = (event, own) => { // with Shift a key of the row of digits gives something else in every country
    const row = digit(event.code.replace("Digit", ""));
    return own[row < 0 ? -1 : row + 10 * event.shiftKey] ?? own[digit(event.key)];
  };
  on(window, "keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), select, dialog");
    if (event.ctrlKey || event.metaKey || event.altKey || typing || !$("#letters").checked) return;
    if (event.key === " " && event.target.closest("button, summary, input, a")) return;
    const s = Object.hasOwn(keys, event.key) || current() === undefined ? undefined : systemOf(event, takesOf(current()));
    if (s !== undefined) select(current(), s, true);
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
    if (query >= 0) state.set("q", data.queries[query].key);
    if (query >= 0 && !control.blind.checked) state.set("system", data.systems[player.chosen]?.name ?? "");
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
    sort();
    if (i >= 0) show(i, s, false, "start");
  };
  on(window, "hashchange", recall);
  recall();
})();
