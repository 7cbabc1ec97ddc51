// Redraws charts when the page's width or colours change, names every drawing for screen readers, and gives zoomed axes ticks of their own.
{
  const screenNow = () => `${window.innerWidth < NARROW_PIXELS} ${document.body.classList.contains("dark")}`;
  let drawnFor;

  const redrawWhenChanged = () => {
    const button = document.querySelector("#redraw");
    if (!button) return;
    if (drawnFor !== undefined && drawnFor !== screenNow()) button.click();
    drawnFor = screenNow();
  };

  // Ticks are written out for the whole range alone.
  const chooseTicks = (drawing, whole) => (change) => {
    const ticks = {};
    for (const [axis, range] of Object.entries(whole)) {
      if (!Object.keys(change).some((key) => key.startsWith(`${axis}.`) && !key.endsWith("tickmode"))) continue;
      const now = drawing.layout[axis].range;
      const isWhole = change[`${axis}.autorange`] || range.every((end, at) => Math.abs(end - now[at]) < 1e-9);
      ticks[`${axis}.tickmode`] = isWhole ? "array" : "auto";
    }
    if (Object.keys(ticks).length) window.Plotly.relayout(drawing, ticks);
  };

  const prepare = (drawing) => {
    const text = drawing.closest(".chart-block")?.querySelector(".for-screen-readers");
    if (!text || !drawing.on || drawing.getAttribute("role")) return;
    // A figure with a text; its letters and ticks one by one would say nothing, and its numbers stand in the table.
    drawing.setAttribute("role", "figure");
    drawing.setAttribute("aria-labelledby", text.id);
    drawing.querySelectorAll(".main-svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
    const written = Object.entries(drawing.layout).filter(([name, axis]) => /^[xy]axis/.test(name) && axis.tickvals && axis.type === "log");
    drawing.on("plotly_relayout", chooseTicks(drawing, Object.fromEntries(written.map(([name, axis]) => [name, [...axis.range]]))));
  };

  let waiting = false;
  const look = () => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      redrawWhenChanged();
      document.querySelectorAll(".js-plotly-plot").forEach(prepare);
    }, 100);
  };

  const start = () => {
    new MutationObserver(look).observe(document.body, { attributes: true, attributeFilter: ["class"], childList: true, subtree: true });
    window.addEventListener("resize", look);
  };
  document.body ? start() : document.addEventListener("DOMContentLoaded", start);
}
