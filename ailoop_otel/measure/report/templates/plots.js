// Draws each plot with Vega-Embed in the place of its static picture, which stays if this does not run.
(() => {
  "use strict";
  const page = getComputedStyle(document.documentElement);
  const views = new Map();

  // A specification names its colours by the page's CSS variables, which are light or dark.
  function coloured(_, value) {
    const name = typeof value === "string" && /^var\((--[a-z]+)\)$/.exec(value)?.[1];
    return name ? page.getPropertyValue(name).trim() : value;
  }

  async function draw(figure) {
    const place = figure.querySelector(".live");
    views.get(figure)?.finalize();
    views.set(figure, null);
    figure.classList.add("drawn");
    const room = place.clientWidth;
    figure.dataset.room = room;
    // How much is beside the axes depends on their labels: what the first try is too wide or too narrow by is mended.
    for (let width = room - 80, tries = 0; tries < 2; tries += 1) {
      const spec = JSON.parse(figure.querySelector("script").textContent, coloured);
      for (const view of spec.vconcat ?? [spec]) view.width = Math.max(100, width);
      spec.config.legend.columns = Math.max(1, Math.floor(room / 220));
      const made = await vegaEmbed(place, spec, {
        mode: "vega-lite", ast: true, renderer: "svg", downloadFileName: figure.id,
        actions: { export: true, source: false, compiled: false, editor: false },
      });
      views.set(figure, made);
      width -= place.querySelector("svg.marks").clientWidth - room;
    }
  }

  // Vega zooms by the wheel and resets by a double click: buttons do the same for fingers and keyboards.
  function zoom(figure, deltaY) {
    // The first background may be that of all panels together, which has no height.
    const plot = [...figure.querySelectorAll(".live .background")].find((each) => each.getBoundingClientRect().height > 1);
    const { x, y, width, height } = plot.getBoundingClientRect();
    const at = { clientX: x + width / 2, clientY: y + height / 2, bubbles: true, cancelable: true };
    plot.dispatchEvent(new PointerEvent("pointermove", at));
    plot.dispatchEvent(deltaY ? new WheelEvent("wheel", { ...at, deltaY, ctrlKey: true }) : new MouseEvent("dblclick", at));
  }

  const seen = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting && !views.has(target)) draw(target);
  }, { rootMargin: "300px" });
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const figure = target.closest("figure");
      if (views.get(figure) && Number(figure.dataset.room) !== target.clientWidth) draw(figure);
    }
  });
  for (const figure of document.querySelectorAll("figure")) {
    seen.observe(figure);
    resized.observe(figure.querySelector(".live"));
    for (const button of figure.querySelectorAll("button")) {
      button.addEventListener("click", () => zoom(figure, Number(button.value)));
    }
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const figure of views.keys()) draw(figure);
  });
  document.documentElement.classList.add("scripted");
})();
