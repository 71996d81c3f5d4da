"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const figures = JSON.parse(document.querySelector("#figures").textContent);

  // --- figures

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const paper = matchMedia("print");
  const colours = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };
  const small = () => innerWidth < 700;

  // A long name leaves no room for its bar on a small page: its beginning and its take stay.
  const labelsOf = (names) => (small() ? { tickmode: "array", tickvals: names, ticktext: names.map(shortened) } : {});
  const shortened = (name) => {
    if (name.length <= 16) return name;
    const parts = name.split("_");
    const take = parts.pop();
    let text = "";
    while (parts.length && text.length + parts[0].length + take.length < 16) text += `${parts.shift()}_`;
    return `${text || name.slice(0, 12)}…${take}`;
  };

  const traceOf = (trace, colour) => {
    const own = colour(`c-${trace.role}`) || colour("accent");
    const { role, shape, text, ...plain } = trace;
    const made = { ...plain, marker: { color: own } };
    if (trace.type === "bar") Object.assign(made, { hovertext: text, hoverinfo: "text", textposition: "none" });
    if (trace.type === "scatter") Object.assign(made, { line: { color: own, width: 2, shape }, hovertemplate: "%{y}<br>%{x|%Y-%m-%d %H:%M:%S}<extra>%{fullData.name}</extra>" });
    if (trace.fill) made.fillcolor = `${own}40`;
    if (trace.mode === "markers") made.marker = { color: own, size: 8, symbol: "x" };
    if (trace.type === "box") Object.assign(made, { line: { color: own, width: 1.5 }, fillcolor: "transparent", jitter: 0.5, pointpos: 0, marker: { color: own, size: 4, opacity: 0.55 }, showlegend: false });
    return made;
  };
  const layoutOf = (figure, colour) => {
    const axis = { gridcolor: colour("line"), linecolor: colour("line"), zerolinecolor: colour("line"), automargin: true, fixedrange: true };
    const isTime = ["gantt", "spend", "concurrency"].includes(figure.id);
    const layout = {
      font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif", size: 12.5, color: colour("ink") },
      paper_bgcolor: "transparent",
      plot_bgcolor: "transparent",
      margin: { l: 10, r: 16, t: 8, b: 8, pad: 4 },
      height: 320,
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
      xaxis: { ...axis, ...(isTime ? { type: "date", title: { text: figure.zone, standoff: 6, font: { size: 11, color: colour("dim") } } } : {}) },
      yaxis: { ...axis, rangemode: "tozero" },
    };
    if (figure.unit) layout.yaxis.title = { text: figure.unit, font: { size: 11, color: colour("dim") } };
    if (figure.unit === "takes" && Math.max(...figure.traces.flatMap((trace) => trace.y)) <= 10) layout.yaxis.dtick = 1;
    if (figure.rows) {
      layout.height = Math.max(160, 90 + figure.rows * (figure.id === "gantt" ? 17 : 62));
      if (figure.id === "failures") layout.height = 80 + figure.rows * 36;
      layout.barmode = "stack";
      if (figure.id === "gantt") layout.barmode = "overlay";
      layout.bargap = 0.25;
      layout.yaxis = { ...axis, automargin: true, gridcolor: "transparent" };
      if (figure.order) Object.assign(layout.yaxis, { type: "category", categoryorder: "array", categoryarray: [...figure.order].reverse(), tickfont: { size: small() ? 10 : 11 }, dtick: 1, ...labelsOf(figure.order) });
    }
    if (figure.id === "durations") { layout.xaxis.title = { text: "seconds", font: { size: 11, color: colour("dim") } }; layout.xaxis.rangemode = "tozero"; }
    if (figure.id === "failures") { layout.xaxis.dtick = Math.max(1, Math.ceil(Math.max(...figure.traces.flatMap((trace) => trace.x)) / 8)); layout.xaxis.tickformat = "d"; layout.xaxis.rangemode = "tozero"; }
    if (figure.id === "gantt") {
      layout.xaxis.side = "top";
      layout.xaxis.title = undefined;
      Object.assign(layout.xaxis, small() ? { nticks: 4, tickangle: 0 } : {});
      layout.legend = { orientation: "h", yref: "container", y: 1, yanchor: "top", x: 0 }; // above the labels of the axis
    }
    if (figure.limit) {
      layout.shapes = [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: figure.limit.value, y1: figure.limit.value, line: { color: colour("c-limit"), width: 1.5, dash: "dash" } }];
      layout.annotations = [{ xref: "paper", x: 1, xanchor: "right", y: figure.limit.value, yanchor: "bottom", text: figure.limit.words, showarrow: false, font: { size: 11, color: colour("c-limit") } }];
      layout.yaxis.range = [0, figure.limit.value * 1.12];
      const most = Math.max(...figure.traces.flatMap((trace) => trace.y));
      if (most > figure.limit.value) layout.yaxis.range[1] = most * 1.12;
    }
    return layout;
  };
  const draw = () => {
    const colour = colours();
    for (const figure of figures) {
      const place = document.getElementById(`figure-${figure.id}`);
      const traces = figure.traces.map((trace) => traceOf(trace, colour));
      Plotly.react(place, traces, layoutOf(figure, colour), { displaylogo: false, displayModeBar: false, responsive: true });
    }
  };
  if (typeof Plotly === "undefined") {
    for (const note of all(".undrawn")) note.hidden = false;
  } else {
    draw();
    dark.addEventListener("change", draw);
    paper.addEventListener("change", draw);
  }

  // --- tables that sort

  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    const rows = all("tbody tr", table);
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const isUp = head.getAttribute("aria-sort") !== "ascending";
        for (const each of heads) each.setAttribute("aria-sort", each === head ? (isUp ? "ascending" : "descending") : "none");
        const key = (row) => row.cells[column]?.dataset.sort ?? row.cells[column]?.textContent ?? "";
        const isNumber = head.classList.contains("n");
        const compare = (a, b) => {
          const [left, right] = [key(a), key(b)];
          if (left === "" || right === "") return (left === "") - (right === ""); // the unknown comes last either way
          const order = isNumber ? Number(left) - Number(right) : left.localeCompare(right, "en", { numeric: true });
          return isUp ? order : -order;
        };
        table.tBodies[0].append(...[...rows].sort(compare));
      });
    });
  }
})();
