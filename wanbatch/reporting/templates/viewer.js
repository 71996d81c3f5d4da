  // --- the large view: one take with its data, or the whole film, shot by shot

  const viewer = one("#viewer");
  const stage = one(".stage", viewer);
  const view = { take: null, isFilm: false, from: null, timer: 0 };
  const STILL_S = 2; // how long a shot without a clip stands in the film

  const takeOfCut = (card) => {
    const mine = all(".takes:not(.old) .take[data-clip], .take.is-circled[data-clip]", card);
    const circled = mine.find((take) => take.classList.contains("is-circled"));
    return circled ?? mine.find((take) => "cut" in take.dataset) ?? mine.at(-1) ?? one(".take", card);
  };
  const film = () => all(".shot").filter((card) => !card.hidden).map(takeOfCut).filter((take) => take?.dataset.take);
  const seen = () => (view.isFilm ? film() : all(".takes:not(.old) .take[data-take]").filter((take) => !shotOf(take).hidden));

  const open = (take, isFilm = false) => {
    if (!take?.dataset.take) return;
    stop();
    view.from = document.activeElement;
    view.isFilm = isFilm;
    if (!viewer.open) viewer.showModal();
    look(take);
  };
  const look = (take) => {
    clearTimeout(view.timer);
    view.take = take;
    const card = shotOf(take);
    const list = seen();
    const at = list.indexOf(take);
    const video = document.createElement("video");
    const clip = take.dataset.clip;
    if (clip) {
      Object.assign(video, { src: clip, muted: !hasSound, playsInline: true, loop: !view.isFilm, controls: true, preload: "auto" });
      video.addEventListener("ended", () => view.isFilm && turn(1));
      video.addEventListener("error", () => { if (view.isFilm && view.take === take) view.timer = setTimeout(() => turn(1), STILL_S * 1000); });
      video.addEventListener("volumechange", () => { hasSound = !video.muted; });
      const poster = one("img", take)?.getAttribute("src");
      if (poster) video.poster = poster;
      stage.replaceChildren(video);
      if (!still.matches || view.isFilm) video.play().catch(() => { video.muted = true; video.play().catch(() => {}); });
    } else {
      const hole = document.createElement("p");
      hole.textContent = one(".hole", take)?.textContent.trim() ?? "";
      stage.replaceChildren(hole);
      if (view.isFilm) view.timer = setTimeout(() => turn(1), STILL_S * 1000);
    }
    const facts = document.createElement("div");
    facts.append(...all(".slate, .why, .warning, .remark", take).map((each) => each.cloneNode(true)));
    const prompt = document.createElement("div");
    prompt.append(...all(".prompt, .shared p", card).map((each) => each.cloneNode(true)));
    const parameters = one("dl", card)?.cloneNode(true);
    one(".data", viewer).replaceChildren(facts, prompt, ...(parameters ? [parameters] : []));
    one("h2", viewer).textContent = `${card.dataset.shot} take ${take.dataset.take}`;
    one(".place", viewer).textContent = `${at + 1} of ${list.length}${view.isFilm ? " shots" : " takes"}`;
    one("#previous").disabled = at <= 0;
    one("#next").disabled = at >= list.length - 1;
    one("#film").setAttribute("aria-pressed", String(view.isFilm));
    tellChoice();
  };
  const tellChoice = () => {
    const button = one("#choose");
    const is = view.take.classList.contains("is-circled");
    button.hidden = !view.take.dataset.clip;
    button.setAttribute("aria-pressed", String(is));
    button.textContent = is ? "Circled" : "Circle";
  };
  const turn = (by) => {
    const list = seen();
    const next = list[list.indexOf(view.take) + by];
    if (next) look(next);
    else if (view.isFilm && by > 0) one(".place", viewer).textContent = "the end";
  };
  const setFilm = (isFilm) => {
    view.isFilm = isFilm;
    look(isFilm ? takeOfCut(shotOf(view.take)) : view.take);
  };
  viewer.addEventListener("close", () => {
    clearTimeout(view.timer);
    stage.replaceChildren();
    if (view.take) rove(view.take);
    const back = view.from?.isConnected && view.from !== document.body ? view.from : view.take;
    back?.focus();
  });
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
  one("#previous").addEventListener("click", () => turn(-1));
  one("#next").addEventListener("click", () => turn(1));
  one("#film").addEventListener("click", () => setFilm(!view.isFilm));
  one("#choose").addEventListener("click", () => { circle(view.take); tellChoice(); });
  one("#shut").addEventListener("click", () => viewer.close());
  one("#play").addEventListener("click", () => open(film()[0], true));
  board.addEventListener("click", (event) => { if (event.target.closest(".open")) open(event.target.closest(".take")); });
  board.addEventListener("dblclick", (event) => { if (event.target.closest(".frame")) open(event.target.closest(".take")); });
  const viewerKeys = {
    ArrowRight: () => turn(1),
    ArrowDown: () => turn(1),
    ArrowLeft: () => turn(-1),
    ArrowUp: () => turn(-1),
    " ": () => { const video = one("video", stage); if (video) (video.paused ? video.play() : video.pause()); },
    c: () => { circle(view.take); tellChoice(); },
    p: () => setFilm(!view.isFilm),
    m: () => { const video = one("video", stage); if (video) video.muted = !video.muted; },
  };
  viewer.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("button") && (event.key === " " || event.key === "Enter")) return;
    const act = viewerKeys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
