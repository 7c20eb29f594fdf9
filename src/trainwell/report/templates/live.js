// Keeps the page as new as the run: what the run does now, the curves of its networks in training, and, when a stage leaves its
// evidence, the parts of the page that are no longer what they were. It runs before the page draws, to know them undrawn.
"use strict";

{
  const MOST_POINTS = 60; // of one curve, chosen: more cannot be told apart
  const MOST_CURVES = 512; // chosen: beyond that the oldest that have ended are let go
  const PAUSE = 1000; // milliseconds between two drawings, chosen: the eye needs no more, and a phone no less
  const KINDS = ["training_loss", "validation_loss"];
  const live = document.getElementById("live");
  const status = live.querySelector(".says"), spoken = live.querySelector("[role=status]"), bar = live.querySelector("progress");
  const figures = live.querySelector(".figures"), notes = live.querySelector(".notes");
  const curves = new Map(); // number of a network: its stage, its state, its losses
  const sources = new WeakMap(); // a part of the page: its text as it came
  let stage = null, shownStage = null, ended = false, timer = null, drawn = 0;

  const parts = (body) =>
    [...body.children].flatMap((one) => (one.matches("main") ? [...one.children] : one.matches("script, style, #live") ? [] : [one]));
  const keyOf = (part) => part.id || part.querySelector("[id]")?.id || part.tagName;
  for (const part of parts(document.body)) sources.set(part, part.outerHTML);

  function take(piece) {
    const known = curves.get(piece.member);
    const kept = known && piece.after <= known.training_loss.length ? piece.after : 0;
    const one = { stage: piece.stage, state: piece.state };
    for (const kind of KINDS) one[kind] = known ? known[kind].slice(0, kept).concat(piece[kind]) : piece[kind];
    curves.delete(piece.member); // so that those that trained last come last
    curves.set(piece.member, one);
  }

  function forget() {
    for (const [member, one] of curves) {
      if (curves.size <= MOST_CURVES) return;
      if (one.state !== "going") curves.delete(member);
    }
  }

  // Many curves are one line with gaps: hundreds stay quick to draw.
  function line(name, members, kind, style, opacity) {
    const x = [], y = [], customdata = [];
    for (const [member, one] of members) {
      const losses = one[kind], step = Math.max(1, (losses.length - 1) / (MOST_POINTS - 1));
      for (let place = 0; place < losses.length - 0.5; place += step) {
        x.push(Math.round(place) + 1), y.push(losses[Math.round(place)]), customdata.push(member);
      }
      x.push(null), y.push(null), customdata.push(member);
    }
    const hovertemplate = "network %{customdata}, epoch %{x}: %{y}<extra></extra>";
    return { type: "scatter", mode: "lines", name, x, y, customdata, hovertemplate, line: style, opacity, connectgaps: false };
  }

  const lowest = (one) => one.validation_loss.reduce((low, loss) => (loss !== null && loss < low ? loss : low), Infinity);

  function show() {
    timer = null;
    drawn = performance.now();
    if ([...curves.values()].some((one) => one.stage === stage)) shownStage = stage; // until then those of the stage before stay
    const shown = [...curves].filter(([, one]) => one.stage === shownStage);
    figures.hidden = ended || shown.length === 0;
    if (figures.hidden) return;
    const best = shown.reduce((low, one) => (lowest(one[1]) < lowest(low[1]) ? one : low));
    const going = shown.filter((one) => one !== best && one[1].state === "going");
    const stopped = shown.filter((one) => one !== best && one[1].state !== "going");
    const all = shown.flatMap(([, one]) => KINDS.flatMap((kind) => one[kind])).filter((loss) => loss !== null).sort((a, b) => a - b);
    const [low, high] = [all[0], all[Math.floor(0.95 * (all.length - 1))]]; // the worst twentieth may leave the figure on top
    const log = low > 0 && high > 4 * low;
    const [bottom, top] = log ? [Math.log10(low), Math.log10(high)] : [low, high];
    const room = 0.06 * (top - bottom) || 0.1;
    for (const kind of KINDS) {
      const data = [
        line("ended", stopped, kind, { color: "var(--quiet)", width: 0.8 }, 0.5),
        line("trained so far", going, kind, { color: "var(--series-1)", width: 1 }, 0.6),
        line("lowest validation loss", [best], kind, { color: "var(--series-2)", width: 2.6 }, 1),
      ].filter((one) => one.x.length);
      const layout = JSON.parse(document.getElementById("live-layout").textContent);
      Object.assign(layout.yaxis, { type: log ? "log" : "linear", range: [bottom - room, top + room] });
      const place = document.getElementById(`live-${kind}`);
      const plot = themed(JSON.stringify({ data, layout }), getComputedStyle(root));
      Plotly.react(place, plot.data, plot.layout, { responsive: true, displayModeBar: false });
      place.setAttribute("aria-label", `${kind.replace("_", " ")} by epoch of ${shown.length} networks in stage ${shownStage}`);
      place.previousElementSibling.lastChild.textContent = ` of ${shown.length} networks in stage ${shownStage}`;
    }
    live.dataset.curves = shown.length;
    live.dataset.milliseconds = Math.round(performance.now() - drawn); // how long it took, for who measures
  }

  function showSoon() {
    if (timer === null && !document.hidden) timer = setTimeout(show, Math.max(0, drawn + PAUSE - performance.now()));
  }

  // Read aloud when the stage or the state is another; the time that is left changes every second, and is there to be seen.
  function speak(news) {
    if (live.dataset.state !== news.state || stage !== news.stage) spoken.textContent = news.says;
  }

  function hear(news) {
    speak(news);
    live.dataset.state = news.state;
    if (status.textContent !== news.says) status.textContent = news.says;
    bar.hidden = news.state !== "going on";
    news.share === null ? bar.removeAttribute("value") : (bar.value = news.share);
    if (notes.children.length !== news.lines.length || notes.lastChild?.textContent !== news.lines.at(-1)) {
      notes.replaceChildren(...news.lines.map((said) => Object.assign(document.createElement("li"), { textContent: said })));
    }
    news.curves.forEach(take);
    forget();
    const changed = news.stage !== stage;
    stage = news.stage;
    if (changed || news.curves.length) showSoon();
  }

  // Parts whose text is the same stay as they are, drawn, scrolled and opened; the others take the place of those with their name.
  function swap(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const old = new Map(parts(document.body).map((part) => [keyOf(part), part]));
    let last = null;
    for (const part of parts(page.body)) {
      const source = part.outerHTML, name = keyOf(part), before = old.get(name), home = part.parentElement;
      old.delete(name);
      let now = before;
      if (!before || sources.get(before) !== source) {
        now = document.adoptNode(part);
        sources.set(now, source);
        if (before) before.replaceWith(now);
        else if (last && last.parentElement.tagName === home.tagName) last.after(now);
        else (home.matches("main") ? document.querySelector("main") : document.body).prepend(now);
        for (const place of now.querySelectorAll(".plot")) places.push(place), waiting.push(place);
      }
      last = now;
    }
    for (const part of old.values()) part.remove();
    for (const list of [places, waiting]) list.splice(0, list.length, ...list.filter((place) => place.isConnected));
    next();
    stops();
  }

  const source = new EventSource(`events?version=${live.dataset.version}`);
  source.addEventListener("anew", () => curves.clear());
  source.addEventListener("news", (event) => hear(JSON.parse(event.data)));
  source.addEventListener("body", (event) => {
    const { version, html } = JSON.parse(event.data);
    swap(html);
    live.dataset.version = version;
  });
  source.addEventListener("end", () => {
    source.close();
    if (live.dataset.state === "going on") status.textContent += " The program that served this page has ended.", (spoken.textContent = status.textContent);
    else if (live.dataset.state === "finished") ended = figures.hidden = true, notes.replaceChildren();
    live.dataset.ended = "yes";
  });
  source.addEventListener("error", () => {
    if (live.dataset.ended !== "yes") spoken.textContent = status.textContent = "The connection is lost: the program that served this page has ended.";
  });
  document.addEventListener("visibilitychange", showSoon);
}
