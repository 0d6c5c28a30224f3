"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const SERVED = DATA.mode === "server";
const AHEAD = 8; // steps whose sounds are fetched before they are needed

const store = new Store(`listening:${DATA.plan}:`);
const sounds = new Sounds(SERVED, () => unsent() || say("The connection is gone; trying again. Please keep this page open."));
let screen = { keys: () => {}, update: () => {}, leave: () => {} };
let answers = null;
let session = null;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const said = () => document.getElementById("status").textContent;

function say(text) {
  if (said() !== text) document.getElementById("status").textContent = text;
}

// Shows a screen and moves the focus to its heading, so that screen readers begin there. Enter goes on, wherever the focus is.
function show(heading, children, next = {}) {
  screen.leave();
  screen = { keys: () => {}, update: () => {}, leave: () => {}, ...next };
  const title = element("h1", { tabindex: "-1" }, heading);
  document.getElementById("place").replaceChildren(title, ...children.filter((child) => child != null));
  title.focus();
  window.scrollTo(0, 0);
  say("");
}

function paragraphs(text) {
  return text.split(/\n\s*\n/).map((part) => element("p", {}, part.trim()));
}

function stopped(why) {
  show("The test cannot go on", [
    element("p", {}, why),
    element("p", {}, "Please tell the person who runs the test. What you have answered is kept."),
    answers && element("p", {}, saveButton("Save my answers as a file")),
  ]);
}

// ---- who is listening

function crowd() {
  const given = new URLSearchParams(location.search);
  const worker = given.get("PROLIFIC_PID") || given.get("workerId");
  if (!worker) return null;
  const prolific = given.has("PROLIFIC_PID");
  return {
    platform: prolific ? "prolific" : "mturk",
    worker,
    study: given.get(prolific ? "STUDY_ID" : "hitId") || "",
    submission: given.get(prolific ? "SESSION_ID" : "assignmentId") || "",
  };
}

function newSession() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The session is part of the address too: a reload finds it where there is no storage. Names of a crowd platform leave it.
function remember(found) {
  session = found;
  store.set("session", session.session);
  history.replaceState(null, "", `${location.pathname}#s=${session.session}`);
  const changed = () => (answers.refusal ? stopped(answers.refusal) : screen.update());
  answers = new Answers(store, session.session, SERVED && ((answer) => post("answer", answer)), changed);
}

function known() {
  return /^#s=([0-9a-f]{32})$/.exec(location.hash)?.[1] || null;
}

async function begin() {
  if (new URLSearchParams(location.search).get("assignmentId") === "ASSIGNMENT_ID_NOT_AVAILABLE")
    return show(DATA.title, [element("p", {}, "This is a preview. Accept the task to begin.")]);
  const worker = crowd();
  const earlier = known() || (worker ? null : store.get("session"));
  if (earlier || worker) return enter(earlier, worker);
  return consent(() => enter(null, null));
}

async function enter(earlier, worker) {
  try {
    remember(SERVED ? await open(earlier || newSession(), worker) : await chosen(earlier || newSession()));
  } catch (error) {
    return stopped(error.message);
  }
  answers.flush().catch(() => {});
  if (done().size) return nextStep(); // who has answered nothing yet begins at the beginning, reloaded or not
  return session.crowd ? consent(volume) : volume();
}

function open(name, worker) {
  say("One moment …");
  return persist(
    () => post("session", { plan: DATA.plan, session: name, crowd: worker }),
    () => say("No connection to the server yet; trying again."),
  );
}

// Without a server the number of the listener says which list is his: in the address, or asked for.
function chosen(name) {
  const lists = DATA.lists;
  const numbers = Object.keys(lists);
  const made = (number) => {
    store.set("listener", number);
    return { session: name, listener: Number(number), steps: lists[number], answered: [], crowd: false };
  };
  const given = store.get("listener") ?? new URLSearchParams(location.search).get("listener");
  if (given !== null && lists[given]) return Promise.resolve(made(given));
  return new Promise((done) => {
    const field = element("input", { type: "number", id: "listener", min: numbers[0], max: numbers.at(-1) });
    const go = () => (lists[field.value] ? done(made(field.value)) : say(`Type a number from ${numbers[0]} to ${numbers.at(-1)}.`));
    show("Your number", [
      element("p", {}, element("label", { for: "listener" }, "The number that you were given "), field),
      nextButton("Continue", go),
    ]);
  });
}

// ---- screens before and after the steps

function nextButton(label, action) {
  return element("p", {}, element("button", { type: "button", class: "next", onclick: action }, label));
}

function consent(then) {
  show(DATA.title, [
    ...paragraphs(DATA.consent),
    store.lasting ? null : element("p", {}, "This window keeps nothing: please finish the test without closing it."),
    nextButton("I agree; begin", then),
  ]);
}

function volume() {
  const player = new Player([DATA.volume], sounds, () => screen.update(), stopped);
  const button = element("button", { type: "button", onclick: () => player.toggle(0) }, "Play ", element("kbd", {}, "P"));
  const go = () => (player.share(0) > 0 ? nextStep() : say("Play the sound first: key P."));
  show("Set your volume", [
    ...paragraphs(DATA.instructions),
    element("p", {}, "Play this noise, set a comfortable volume, and leave it there until the end."),
    element("p", {}, button),
    nextButton("Continue", go),
  ], { keys: (event) => event.key.toLowerCase() === "p" && player.toggle(0), leave: () => player.stop() });
}

function done() {
  return new Set([...session.answered, ...answers.all().map((one) => one.step)]);
}

function nextStep() {
  const finished = done();
  const open = session.steps.filter((step) => !finished.has(step.id));
  sounds.keep(open.slice(0, AHEAD).flatMap((step) => step.clips));
  if (!open.length) return SERVED ? finish() : finishedWithoutServer();
  return showStep(open[0], session.steps.length - open.length);
}

async function finish() {
  show("Sending your last answers", [element("p", {}, "Please keep this page open.")], { update: unsent });
  try {
    await answers.flush();
    const end = await persist(() => post("finish", { plan: DATA.plan, session: session.session }), unsent);
    for (const one of answers.all()) store.remove(answers.key(one.step));
    store.remove("session");
    show("Thank you", [
      element("p", {}, "All your answers have arrived."),
      ...(end.code ? [element("p", {}, "Your completion code:"), element("p", { class: "code", id: "code" }, end.code)] : []),
      end.link ? element("p", {}, element("a", { href: end.link, rel: "noreferrer" }, "Return to the platform that sent you")) : null,
      session.crowd ? null : nextButton("Begin for the next listener", () => again()),
    ]);
  } catch (error) {
    stopped(error.message);
  }
}

function finishedWithoutServer() {
  show("Thank you", [
    element("p", {}, "Save your answers and send the file to the person who runs the test."),
    element("p", {}, saveButton("Save the file")),
    nextButton("The file is saved: begin for the next listener", () => {
      for (const one of answers.all()) store.remove(answers.key(one.step));
      store.remove("session");
      store.remove("listener");
      again();
    }),
  ]);
}

function again() {
  location.replace(location.pathname); // without the session, which is behind the #
}

function saveButton(label) {
  return element("button", { type: "button", class: "next", onclick: save }, label);
}

function save() {
  const { plan } = DATA;
  const kept = answers.all().map(({ sent, ...answer }) => answer);
  const text = JSON.stringify({ plan, session: session.session, listener: session.listener, answers: kept }, null, 1);
  const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const name = `answers-${plan.slice(0, 8)}-${session.listener}-${session.session.slice(0, 8)}.json`;
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
  say(`Saved as ${name}.`);
}

const WAITING = "for the connection. Please keep this page open.";

// Says how many answers wait for a server that cannot be reached; whether there are any.
function unsent() {
  const n = answers?.cutOff ? answers.waiting().length : 0;
  if (n) say(`${n === 1 ? "One answer waits" : `${n} answers wait`} ${WAITING}`);
  else if (said().endsWith(WAITING)) say("");
  return n > 0;
}

// ---- the whole

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
  if (event.target.matches("textarea")) return;
  if (event.key !== "Enter") return screen.keys(event);
  if (event.target.matches("button, a")) return;
  event.preventDefault();
  document.querySelector("button.next")?.click();
});
// Another tab of this session answered: what is open here may be answered already.
window.addEventListener("storage", () => screen.answered?.());
window.addEventListener("beforeunload", (event) => {
  if (answers && !store.lasting && answers.all().length) event.preventDefault();
});
begin();
