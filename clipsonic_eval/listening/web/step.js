"use strict";

// One step of a trial: its sounds, its question, the scale of its form. Nothing can be answered before every sound was heard
// to its end, and nothing can be answered twice.
const HEARD = 0.95; // share of a sound that counts as all of it
const LETTERS = "ABCDEFGHIJKL"; // of sliders

function showStep(step, place) {
  const form = DATA.forms[step.form];
  const player = playerOf(step);
  const plays = step.clips.map((_, i) => playButton(form.layout, i, player));
  const scale = form.layout === "sliders" ? sliders(form, plays, player) : choices(form);
  const reason = form.layout === "pair" ? element("textarea", { id: "reason", rows: 2, maxlength: 500 }) : null;
  const began = performance.now();
  let leaving = false;

  const go = async () => {
    const missing = unheard(plays, player) || scale.missing();
    if (missing || leaving) return missing && say(missing);
    leaving = true;
    player.stop();
    say("Keeping your answer …");
    try {
      await answers.add({
        id: newSession(),
        plan: DATA.plan,
        session: session.session,
        step: step.id,
        answers: scale.values(),
        reason: reason?.value.trim() || "",
        seconds: Math.round(performance.now() - began) / 1000,
        played: step.clips.map((_, i) => Math.round(1000 * player.share(i)) / 1000),
        clock: new Date().toISOString(),
      });
      nextStep();
    } catch (error) {
      stopped(error.message);
    }
  };

  show(`${place + 1} of ${session.steps.length}`, [
    element("progress", { max: session.steps.length, value: place, "aria-label": "Progress" }),
    query(step),
    form.note ? element("p", { class: "query", id: "note" }, form.note) : null,
    form.layout === "sliders" ? null : element("p", { class: "sounds" }, ...plays.map((play) => play.button)),
    scale.part,
    reason && element("p", {}, element("label", { for: "reason" }, "Why? You may leave this empty."), reason),
    element("p", {}, element("button", { type: "button", class: "next", onclick: go }, "Next ", element("kbd", {}, "Enter"))),
  ], {
    update: () => {
      unsent();
      for (const play of plays) play.update();
      scale.update(!unheard(plays, player));
    },
    answered: () => answers.has(step.id) && !leaving && nextStep(),
    leave: () => player.stop(),
    keys: (event) => {
      const key = event.key.toLowerCase();
      const play = plays.find((one) => one.key.toLowerCase() === key);
      if (play) play.toggle();
      else if (!scale.key(key)) return;
      event.preventDefault();
    },
  });
  screen.update();
}

// The steps of one trial ask about the same sounds: what was heard in the first counts in the next.
let lastPlayer = { trial: "" };

function playerOf(step) {
  const trial = step.id.split(".")[0];
  if (lastPlayer.trial !== trial) {
    lastPlayer.player?.end();
    lastPlayer = { trial, player: new Player(step.clips, sounds, () => screen.update(), stopped) };
  }
  return lastPlayer.player;
}

function query(step) {
  if (step.image) {
    const picture = element("img", { src: `clips/${step.image}`, alt: "The picture that belongs to the sound" });
    return element("div", { class: "query" }, picture);
  }
  return step.text ? element("blockquote", { class: "query", dir: "auto", tabindex: "0" }, step.text) : null;
}

function unheard(plays, player) {
  const open = plays.filter((_, i) => player.share(i) < HEARD).map((play) => play.key);
  return open.length ? `Listen to the end first; keys that play: ${open.join(", ")}.` : "";
}

function playButton(layout, i, player) {
  const [label, key] = {
    rating: ["Play", "P"],
    pair: [["Left", "L"], ["Right", "R"]][i],
    sliders: [`Sound ${LETTERS[i]}`, LETTERS[i]],
  }[layout];
  const heard = element("span", { class: "heard" });
  const toggle = () => player.toggle(i);
  const button = element("button", { type: "button", "aria-pressed": "false", onclick: toggle }, `${label} `, element("kbd", {}, key), " ", heard);
  const update = () => {
    button.setAttribute("aria-pressed", String(player.playing(i)));
    heard.textContent = player.share(i) >= HEARD ? "✓ heard" : `${Math.floor(100 * player.share(i))} %`;
  };
  return { label, key, button, update, toggle };
}



// Radio buttons with digits: the answer itself where it is one, else the place in the list.
function choices(form) {
  const digits = form.scale.map(([value], i) => (/^[0-9]$/.test(value) ? value : String(i + 1)));
  const inputs = form.scale.map(([value], i) => element("input", { type: "radio", name: "answer", id: `answer-${i}`, value }));
  const rows = form.scale.map(([, label], i) =>
    element("label", { class: "choice", for: `answer-${i}` }, inputs[i], element("kbd", {}, digits[i]), label));
  const part = element("fieldset", {}, element("legend", {}, form.question), ...rows);
  let open = false;
  return {
    part,
    missing: () => (inputs.some((input) => input.checked) ? "" : `Choose an answer: keys ${digits.join(", ")}.`),
    values: () => [inputs.find((input) => input.checked).value],
    update: (heard) => {
      open = heard;
      for (const input of inputs) input.disabled = !heard;
      part.classList.toggle("locked", !heard);
    },
    key: (key) => {
      const input = inputs[digits.indexOf(key)];
      if (!input) return false;
      if (!open) say("Listen to the end first.");
      else input.click(), input.focus(), say("");
      return true;
    },
  };
}

// A slider for each sound; only that of the sound that was played last can be moved (ITU-R BS.1534).
function sliders(form, plays, player) {
  const inputs = plays.map((play) => {
    const input = element("input", { type: "range", min: 0, max: 100, step: 1, value: 0, "aria-label": play.label });
    const moved = () => input.setAttribute("data-moved", "");
    input.addEventListener("input", moved);
    input.addEventListener("keydown", (event) => event.key.startsWith("Arrow") && moved());
    return input;
  });
  const outputs = inputs.map(() => element("output", {}, "–"));
  const rows = inputs.map((input, i) => element("div", { class: "slider" }, plays[i].button, input, outputs[i]));
  const words = element("p", { class: "words" }, ...form.scale.filter(([, label]) => label).reverse()
    .map(([value, label]) => element("span", {}, `${label} `, element("small", {}, `(to ${value})`))));
  const isMoved = (input) => input.hasAttribute("data-moved");
  const showNumbers = () => inputs.forEach((input, i) => (outputs[i].textContent = isMoved(input) ? input.value : "–"));
  let last = -1;
  return {
    part: element("fieldset", { oninput: showNumbers, onkeyup: showNumbers }, element("legend", {}, form.question), words, ...rows),
    missing: () => {
      const left = plays.map((_, i) => i).filter((i) => !isMoved(inputs[i])).map((i) => LETTERS[i]);
      return left.length ? `Still without a rating: ${left.join(", ")}.` : "";
    },
    values: () => inputs.map((input) => input.value),
    update: () => {
      inputs.forEach((input, i) => (input.disabled = i !== player.current || player.share(i) < HEARD));
      if (player.current !== last || document.activeElement === document.body) {
        if (inputs[player.current] && !inputs[player.current].disabled) inputs[player.current].focus(), (last = player.current);
      }
    },
    key: () => false,
  };
}
