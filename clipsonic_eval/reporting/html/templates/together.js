// several sounds that run together and of which one is heard, so that a change from one to another keeps the position
const together = ({ loops, level, changed, moved }) => {
  const own = { sounds: new Map(), chosen: -1, playing: false, part: [] }; // part: seconds, from and to
  const heard = () => own.sounds.get(own.chosen);
  const within = (sound, seconds) => Math.max(0, Math.min(seconds, sound.duration || seconds));
  const open = (addresses) => {
    run(false);
    own.sounds.forEach((sound) => (sound.removeAttribute("src"), sound.load())); // before their address may be freed
    own.part = [];
    own.sounds = new Map(addresses.map(([name, address]) => {
      const sound = Object.assign(new Audio(address), { preload: "auto", preservesPitch: false });
      quieten(name, sound);
      on(sound, "ended", () => sound === heard() && run(again()));
      return [name, sound];
    }));
  };
  const start = (sound) => sound.play().catch(() => {});
  // a browser takes one that is muted from the output and back, and its position jumps; where the volume is that of the
  // device (telephones of Apple) there is no other way
  const SILENT = 1e-6;
  const quieten = (name, sound) => {
    const silent = sound !== heard();
    sound.volume = silent ? SILENT : level(name);
    sound.muted = silent && sound.volume === 1;
  };
  const settle = () => own.sounds.forEach((sound, name) => {
    quieten(name, sound);
    sound.loop = sound === heard() && loops() && own.part.length < 2; // the others are moved when it begins again
  });
  const again = () => loops() || own.part.length === 2;
  const run = (playing) => {
    own.playing = playing;
    if (playing && heard()?.ended) seek(own.part[1] ? own.part[0] : 0);
    own.sounds.forEach((sound) => (playing ? start(sound) : sound.pause()));
    watch();
    changed();
  };
  const seek = (seconds) => { // first the one that is heard
    const others = [...own.sounds.values()].filter((sound) => sound !== heard());
    for (const sound of [heard(), ...others]) sound.currentTime = within(sound, seconds);
    watch();
  };

  // a sound that is not heard comes nearer by its speed; only one that is far away is moved, which takes its time
  const [NEAR, APART, FAR] = [0.004, 0.03, 0.25]; // seconds
  const align = (other) => {
    if (other === heard() || other.seeking) return;
    const ahead = other.currentTime - within(other, heard().currentTime);
    if (Math.abs(ahead) > FAR || (other.ended && ahead > NEAR)) (other.currentTime -= ahead), start(other);
    const [speed, wanted] = [other.playbackRate, 1 - Math.max(-0.3, Math.min(0.3, ahead / 0.2))];
    if (speed === 1) other.playbackRate = Math.abs(ahead) > 2 * NEAR ? wanted : 1;
    else if (Math.abs(ahead) < NEAR || speed < 1 !== wanted < 1) other.playbackRate = 1;
  };
  let frame = 0;
  const watch = () => (cancelAnimationFrame(frame), (frame = requestAnimationFrame(follow)));
  const follow = () => {
    const sound = heard();
    if (!sound) return;
    moved(sound.currentTime, sound.duration || 0);
    if (sound.currentTime >= own.part[1]) seek(own.part[0]);
    if (!own.playing) return;
    own.sounds.forEach(align);
    watch();
  };
  const choose = (name) => {
    const next = own.sounds.get(name);
    const place = within(next, heard()?.currentTime ?? 0);
    if (Math.abs(next.currentTime - place) > APART) next.currentTime = place;
    next.playbackRate = 1;
    own.chosen = name;
    settle();
    if (own.playing && next.ended) run(again());
    else if (own.playing) start(next);
  };
  const repeat = () => { // from here, to here, and all again
    if (!heard()) return;
    own.part = own.part.length < 2 ? [...own.part, heard().currentTime].sort((a, b) => a - b) : [];
    settle();
    changed();
  };
  return Object.assign(own, { heard, open, run, seek, choose, repeat, settle });
};
