"use strict";
(function () {
  const spaces = JSON.parse(document.getElementById("maps-data").textContent);
  document.documentElement.classList.add("js");
  const shade = (share) => {
    const mix = (from, to) => Math.round(from + (to - from) * share);
    return [`rgb(${mix(240, 8)},${mix(246, 64)},${mix(252, 129)})`, share > 0.5 ? "#fff" : "#1b1f24"];
  };
  spaces.forEach((space, number) => {
    const place = document.getElementById(`linked-${number}`);
    if (!place || !space.grids.length) return;
    const choice = document.getElementById(`grid-${number}`);
    const said = document.getElementById(`said-${number}`);
    space.grids.forEach((made, at) => {
      const option = document.createElement("option");
      option.value = String(at);
      option.textContent = made.grid.join(" x ");
      option.selected = made.grid[0] === 5;
      choice.append(option);
    });
    const draw = () => {
      const { grid: [rows, columns], units } = space.grids[Number(choice.value)];
      const cells = {};
      place.replaceChildren();
      for (const [part, where] of Object.entries(units)) {
        const figure = document.createElement("figure");
        const caption = document.createElement("figcaption");
        caption.textContent = `${part}s`;
        const box = document.createElement("div");
        box.className = "cells";
        box.style.gridTemplateColumns = `repeat(${columns}, max-content)`;
        const counts = new Array(rows * columns).fill(0);
        where.forEach((unit) => { counts[unit] += 1; });
        const most = Math.max(...counts);
        cells[part] = counts.map((count, unit) => {
          const button = document.createElement("button");
          const [back, ink] = shade(count / most);
          button.type = "button";
          button.style.background = count ? back : "var(--empty)";
          button.style.color = count ? ink : "inherit";
          button.textContent = count || "";
          button.setAttribute("aria-label", `${part} map, row ${Math.floor(unit / columns) + 1}, column ${unit % columns + 1}: ${count} images`);
          const show = () => light(part, unit);
          button.addEventListener("pointerenter", show);
          button.addEventListener("focus", show);
          box.append(button);
          return button;
        });
        figure.append(caption, box);
        place.append(figure);
      }
      const light = (part, unit) => {
        const pairs = units[part].flatMap((at, pair) => (at === unit ? [pair] : []));
        const words = [];
        for (const [other, where] of Object.entries(units)) {
          const reached = new Set(pairs.map((pair) => where[pair]));
          cells[other].forEach((cell, at) => cell.classList.toggle("lit", reached.has(at)));
          if (other !== part) words.push(`${reached.size} unit${reached.size === 1 ? "" : "s"} of the ${other} map`);
        }
        const names = pairs.slice(0, 6).map((pair) => space.names[pair]).join(", ");
        said.textContent = pairs.length
          ? `${pairs.length} pair${pairs.length === 1 ? "" : "s"} (${names}${pairs.length > 6 ? ", ..." : ""}) lie at ${words.join(" and ")}.`
          : "No image lies here.";
      };
    };
    choice.addEventListener("change", draw);
    draw();
  });
})();
