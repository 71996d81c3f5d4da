"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const one = (selector, root = document) => root.querySelector(selector);
  const board = one("#board");
  const cards = all(".shot");
  const body = document.body;

  // A command needs the place of this page, wherever it is typed.
  const place = () => {
    if (location.protocol !== "file:") return body.dataset.run;
    const path = decodeURIComponent(location.pathname);
    return path.slice(0, path.lastIndexOf("/")) || "/";
  };
  const quoted = (word) => (/^[A-Za-z0-9_@%+=:,.\/-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`);
  const run = quoted(place());
  for (const code of all("code[data-command]")) {
    const [name, ...words] = code.dataset.command.split(" ");
    code.textContent = ["wanbatch", name, run, ...words.map(quoted)].join(" ");
  }
  for (const hidden of all(".bar, .tools, .circle, .retake, .open")) hidden.hidden = false;

  // --- what was chosen: circles by shot (0: the circle is removed), and shots to retake

  const key = `wanbatch storyboard ${body.dataset.key} ${run}`;
  const stored = new Map();
  for (const take of all(".take[data-circled]")) stored.set(shotOf(take).dataset.shot, Number(take.dataset.take));
  const picks = new Map();
  const retakes = new Set();
  const keep = () => {
    try {
      localStorage.setItem(key, JSON.stringify({ picks: [...picks], retakes: [...retakes].map((shot) => [shot, countOf(shot)]) }));
    } catch { /* a page opened from a disk may have no storage: the choices last as long as the page */ }
  };
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "{}");
    // Forget choices that commands have carried out since: an existing circle, a shot with one more take.
    for (const [shot, take] of kept.picks ?? []) {
      if (take !== (stored.get(shot) ?? 0) && (take === 0 || takesOf(shot).includes(take))) picks.set(shot, take);
    }
    for (const [shot, count] of kept.retakes ?? []) if (count > 0 && countOf(shot) === count) retakes.add(shot);
  } catch { /* as above */ }

  function shotOf(element) { return element.closest(".shot"); }
  function cardOf(shot) { return cards.find((each) => each.dataset.shot === shot); }
  function countOf(shot) { return cardOf(shot) ? all(".take", cardOf(shot)).length : 0; }
  function takesOf(shot) {
    const card = cardOf(shot);
    return card ? all(".take[data-clip]", card).map((take) => Number(take.dataset.take)) : [];
  }
  const chosen = (shot) => (picks.has(shot) ? picks.get(shot) : stored.get(shot) ?? 0);

  const circle = (take) => {
    if (!take.dataset.clip) return;
    const shot = shotOf(take).dataset.shot;
    const number = Number(take.dataset.take);
    const next = chosen(shot) === number ? 0 : number;
    if (next === (stored.get(shot) ?? 0)) picks.delete(shot);
    else picks.set(shot, next);
    changed(shotOf(take));
  };
  const retake = (card) => {
    if (!one(".retake", card)) return;
    const shot = card.dataset.shot;
    if (!retakes.delete(shot)) retakes.add(shot);
    changed(card);
  };
  const changed = (card) => { keep(); show(card); showTray(); count(); };

  const show = (card) => {
    const shot = card.dataset.shot;
    const mine = chosen(shot);
    for (const take of all(".take", card)) {
      const is = mine !== 0 && Number(take.dataset.take) === mine && Boolean(take.dataset.clip);
      take.classList.toggle("is-circled", is);
      const button = one(".circle", take);
      if (button) {
        button.setAttribute("aria-pressed", String(is));
        button.textContent = is ? "Circled" : "Circle";
      }
    }
    card.classList.toggle("has-picks", mine !== 0);
    const again = retakes.has(shot);
    card.classList.toggle("is-retaken", again);
    const button = one(".retake", card);
    if (button) {
      button.setAttribute("aria-pressed", String(again));
      button.textContent = again ? "To be retaken" : "Retake";
    }
  };

  const commands = () => {
    const order = cards.map((card) => card.dataset.shot);
    const circles = order.filter((shot) => picks.get(shot) > 0);
    const cleared = order.filter((shot) => picks.get(shot) === 0);
    const again = order.filter((shot) => retakes.has(shot));
    const lines = [];
    const plural = (list, noun) => `${list.length} ${noun}${list.length === 1 ? "" : "s"}`;
    if (circles.length) lines.push([`${plural(circles, "take")} to circle`, ["wanbatch circle", run, ...circles.map((shot) => quoted(`${shot}:${picks.get(shot)}`))]]);
    if (cleared.length) lines.push([`${plural(cleared, "circle")} to clear`, ["wanbatch circle --clear", run, ...cleared.map(quoted)]]);
    if (again.length) lines.push([`${plural(again, "shot")} to retake: this asks before it pays`, ["wanbatch retake", run, ...again.map(quoted)]]);
    return lines.map(([word, parts]) => [word, parts.join(" ")]);
  };

  const tray = one("#tray");
  const showTray = () => {
    const lines = commands();
    tray.hidden = lines.length === 0;
    one(".lines", tray).replaceChildren(...lines.map(([word, text], number) => {
      const line = document.createElement("div");
      line.className = "line";
      const label = document.createElement("label");
      label.textContent = word;
      label.htmlFor = `line-${number}`;
      const field = document.createElement("input");
      field.id = `line-${number}`;
      field.readOnly = true;
      field.value = text;
      field.addEventListener("focus", () => field.select());
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Copy";
      button.addEventListener("click", () => copy(field, button));
      line.append(label, field, button);
      return line;
    }));
  };
  const copy = async (field, button) => {
    field.focus();
    field.select();
    let done = false;
    try {
      await navigator.clipboard.writeText(field.value);
      done = true;
    } catch {
      done = document.execCommand("copy"); // where a page from a disk has no clipboard of its own
    }
    button.textContent = done ? "Copied" : "Press Ctrl-C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  one("#clear").addEventListener("click", () => {
    picks.clear();
    retakes.clear();
    keep();
    cards.forEach(show);
    showTray();
    count();
  });

  // --- playing: one clip at a time, without sound unless it is asked for

  let playing = null;
  let hasSound = false;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const stop = () => {
    if (!playing) return;
    const { video, button } = playing;
    playing = null;
    video.pause();
    video.removeAttribute("src");
    video.load();
    video.remove();
    button.remove();
  };
  const play = (take) => {
    if (!take.dataset.clip || playing?.take === take) return;
    stop();
    const video = document.createElement("video");
    video.src = take.dataset.clip;
    video.muted = !hasSound;
    video.loop = true;
    video.playsInline = true;
    video.preload = "auto";
    video.tabIndex = -1;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sound";
    button.tabIndex = -1;
    button.addEventListener("click", (event) => { event.stopPropagation(); event.preventDefault(); sound(); });
    one(".frame", take).append(video, button);
    playing = { take, video, button };
    tellSound();
    video.play().catch(() => {
      if (playing?.video !== video) return;
      video.muted = true; // sound may need a click first
      tellSound();
      video.play().catch(() => {});
    });
  };
  const tellSound = () => {
    if (!playing) return;
    playing.button.textContent = playing.video.muted ? "Sound" : "Sound off";
    playing.button.setAttribute("aria-pressed", String(!playing.video.muted));
  };
  const sound = () => {
    hasSound = playing ? playing.video.muted : !hasSound;
    if (playing) playing.video.muted = !hasSound;
    tellSound();
  };
  let resting = 0;
  board.addEventListener("pointerover", (event) => {
    const take = event.target.closest(".take[data-clip]");
    const frame = event.target.closest(".frame");
    clearTimeout(resting);
    if (take && frame && !still.matches && event.pointerType === "mouse") resting = setTimeout(() => play(take), 120);
  });
  board.addEventListener("pointerout", (event) => {
    const frame = event.target.closest(".frame");
    if (!frame || frame.contains(event.relatedTarget) || event.pointerType !== "mouse") return;
    clearTimeout(resting);
    if (playing && frame.contains(playing.video)) stop();
  });
  board.addEventListener("click", (event) => {
    const take = event.target.closest(".take");
    if (event.target.closest(".clip, video") && take && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      focusOn(take);
      if (playing?.take === take && !still.matches && event.detail) sound();
      else if (playing?.take === take) stop();
      else play(take);
    } else if (event.target.closest(".circle")) circle(take);
    else if (event.target.closest(".retake")) retake(shotOf(event.target));
  });

  // --- which shots, in which order

  const text = one("#text");
  const scene = one("#scene");
  const sort = one("#sort");
  const chips = all("[data-filter]");
  const told = (card) => all("h3, .prompt, .shared p, .own, .remark, .warning, .why", card).map((each) => each.textContent).join(" ");
  const words = new Map(cards.map((card) => [card, told(card).toLowerCase()]));
  const clips = new Map(cards.map((card) => [card, all(".take[data-clip]", card).length]));
  const is = {
    all: () => true,
    trouble: (card) => "trouble" in card.dataset,
    unchosen: (card) => clips.get(card) > 0 && chosen(card.dataset.shot) === 0,
    warned: (card) => "warned" in card.dataset,
    chosen: (card) => chosen(card.dataset.shot) !== 0,
  };
  let filter = "all";
  const isFound = (card, name) => {
    const asked = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isHere = scene.value === "" || card.dataset.scene === scene.value;
    return isHere && asked.every((word) => words.get(card).includes(word)) && is[name](card);
  };
  const count = () => {
    for (const chip of chips) one(".count", chip).textContent = String(cards.filter((card) => isFound(card, chip.dataset.filter)).length);
    const shown = cards.filter((card) => !card.hidden).length;
    one("#count").textContent = `${shown} of ${cards.length} shots`;
    one("#none").hidden = shown > 0 || cards.length === 0;
  };
  const apply = () => {
    for (const card of cards) card.hidden = !isFound(card, filter);
    for (const section of all(".scene")) section.hidden = !all(".shot", section).some((card) => !card.hidden);
    if (playing && shotOf(playing.take).hidden) stop();
    if (!current || shotOf(current).hidden) rove(takes()[0] ?? null);
    count();
  };
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      filter = chip.dataset.filter;
      for (const each of chips) each.setAttribute("aria-pressed", String(each === chip));
      one("#what").hidden = !chip.title;
      one("#what").textContent = chip.title && `${one(".word", chip).textContent}: ${chip.title}.`;
      apply();
    });
  }
  text.addEventListener("input", apply);
  scene.addEventListener("change", apply);
  one(".bar").addEventListener("submit", (event) => event.preventDefault());
  one("#all").addEventListener("click", () => {
    text.value = scene.value = "";
    chips[0].click();
  });

  const homes = new Map(cards.map((card) => [card, card.parentElement]));
  const flat = document.createElement("div");
  flat.className = "sheet";
  const number = (card, name) => Number(card.dataset[name] || -1);
  const orders = {
    state: (a, b) => number(a, "rank") - number(b, "rank"),
    cost: (a, b) => number(b, "cost") - number(a, "cost"),
    time: (a, b) => number(b, "time") - number(a, "time"),
  };
  sort.addEventListener("change", () => {
    const order = orders[sort.value];
    stop();
    board.classList.toggle("sorted", Boolean(order));
    if (order) {
      flat.append(...[...cards].sort((a, b) => order(a, b) || number(a, "order") - number(b, "order")));
      board.prepend(flat);
    } else {
      for (const card of cards) homes.get(card).append(card);
      flat.remove();
    }
    apply();
  });

  // --- keys: one take of the board is in the tab order, the arrows lead to the others

  let current = null;
  const takes = () => all(".take").filter((take) => take.checkVisibility ? take.checkVisibility() : take.offsetParent !== null);
  const rove = (take) => {
    if (current) current.tabIndex = -1;
    current = take;
    if (take) take.tabIndex = 0;
  };
  const focusOn = (take) => {
    if (!take) return;
    rove(take);
    take.focus();
    take.scrollIntoView({ block: "nearest" });
  };
  board.addEventListener("focusin", (event) => {
    const take = event.target.closest(".take");
    if (take) rove(take);
  });
  const step = (by) => {
    const list = takes();
    focusOn(list[Math.min(list.length - 1, Math.max(0, list.indexOf(current) + by))]);
  };
  const stepShot = (by) => {
    const list = cards.length ? all(".shot").filter((card) => !card.hidden) : [];
    const at = current ? list.indexOf(shotOf(current)) : -1;
    const card = list[Math.min(list.length - 1, Math.max(0, at + by))];
    if (card) focusOn(one(".take", card));
  };
  const stepRow = (down) => {
    if (!current) return;
    const from = current.getBoundingClientRect();
    const middle = from.left + from.width / 2;
    let best = null;
    for (const take of takes()) {
      const box = take.getBoundingClientRect();
      const away = down ? box.top - from.bottom : from.top - box.bottom;
      if (away < -4) continue;
      const cost = away * 3 + Math.abs(box.left + box.width / 2 - middle);
      if (!best || cost < best.cost) best = { take, cost };
    }
    if (best) focusOn(best.take);
  };
  const keys = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    ArrowDown: () => stepRow(true),
    ArrowUp: () => stepRow(false),
    j: () => stepShot(1),
    k: () => stepShot(-1),
    " ": () => current && (playing?.take === current ? stop() : play(current)),
    Enter: () => current && open(current),
    o: () => current && open(current),
    p: () => open(film()[0], true),
    c: () => current && circle(current),
    r: () => current && retake(shotOf(current)),
    m: sound,
    f: () => text.focus(),
    "/": () => text.focus(),
    "?": () => one("#help").showModal(),
    Escape: stop,
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || one("#help").open || viewer.open) return;
    const target = event.target;
    if (target.closest("input, select, textarea")) {
      if (event.key === "Escape" && target === text) { text.value = ""; apply(); text.blur(); focusOn(current); }
      return;
    }
    if (target.closest("button, summary, a") && (event.key === "Enter" || event.key === " ")) return;
    if (/^[1-9]$/.test(event.key) && current) {
      const take = all(".take", shotOf(current)).find((each) => each.dataset.take === event.key);
      if (take) { circle(take); event.preventDefault(); }
      return;
    }
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
  one("#keys").addEventListener("click", () => one("#help").showModal());
  one("#theme").addEventListener("click", () => {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : !matchMedia("(prefers-color-scheme: light)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
  });

{% include "viewer.js" %}

  cards.forEach(show);
  rove(one(".take"));
  showTray();
  count();
})();
