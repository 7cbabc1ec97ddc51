// Puts a live chart in the place of a still one when it comes into view. Where the browser cannot, the still one stays.
(() => {
  const NARROW = 640; // pixels, below which a chart takes its layout for phones
  if (!("DecompressionStream" in window && "IntersectionObserver" in window && "ResizeObserver" in window)) return;

  const unpack = (id) => {
    const bytes = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const load = async () => {
    const script = document.createElement("script");
    script.textContent = await unpack("plotly");
    document.head.append(script); // runs before the next line
    return window.Plotly;
  };
  let plotly;

  const draw = async (place) => {
    plotly ??= load();
    const Plotly = await plotly;
    if (!Plotly) return;
    const figure = JSON.parse(await unpack(`figure-${place.dataset.chart}`));
    const live = document.createElement("div");
    live.className = "live";
    live.setAttribute("role", "group");
    live.setAttribute("aria-label", place.querySelector("svg").getAttribute("aria-label"));
    place.append(live);
    place.classList.add("has-live");
    let narrow;
    const show = async () => {
      const now = place.clientWidth < NARROW;
      if (now === narrow || !place.clientWidth) return;
      narrow = now;
      // plotly changes the layout that it is given.
      const layout = structuredClone(narrow ? figure.layout.meta.narrow : figure.layout);
      await Plotly.react(live, figure.data, layout, { responsive: true, displaylogo: false, displayModeBar: narrow ? false : "hover" });
    };
    try {
      await show();
    } catch (error) {
      live.remove();
      place.classList.remove("has-live");
      throw error;
    }
    new ResizeObserver(show).observe(place);
  };

  const views = new IntersectionObserver(
    (entries) => {
      for (const { isIntersecting, target } of entries) {
        if (!isIntersecting) continue;
        views.unobserve(target);
        draw(target);
      }
    },
    { rootMargin: "300px" },
  );
  for (const place of document.querySelectorAll("[data-chart]")) views.observe(place);

  // On paper everything is open.
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => (part.open = true)));
})();
