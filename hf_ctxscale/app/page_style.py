"""How the page looks: theme, style sheet and the script in its head; nothing of it is fetched from another host."""

from pathlib import Path

import gradio as gr

from hf_ctxscale.app.fits_style import FINDINGS_CSS
from hf_ctxscale.app.screen import DARK_PAPER

NARROW_PIXELS = 700  # pages narrower than this are laid out as on a phone

# System fonts, since the default theme fetches its own from the web, and small print dark enough to read.
THEME = gr.themes.Default(
    primary_hue="blue", neutral_hue="zinc", font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]
).set(
    block_info_text_color="*neutral_600",
    block_info_text_color_dark="*neutral_300",
    body_text_color_subdued="*neutral_600",
    body_text_color_subdued_dark="*neutral_300",
    body_background_fill_dark=DARK_PAPER,
    button_primary_background_fill="*primary_700",
    button_primary_background_fill_hover="*primary_800",
    button_primary_background_fill_dark="*primary_700",
    button_primary_background_fill_hover_dark="*primary_600",
)

CSS = (
    FINDINGS_CSS
    + """
.gradio-container { max-width: 1320px !important; margin: 0 auto; width: 100%; }
.gradio-container :is(a, button, input, textarea, select, summary, [tabindex]):focus-visible { outline: 3px solid #2563eb; outline-offset: 2px; }
.dark .gradio-container :is(a, button, input, textarea, select, summary, [tabindex]):focus-visible { outline-color: #93c5fd; }
:root:not(.dark) body:not(.dark) .gradio-container [role=tab].selected { color: var(--primary-700); }
.carried { display: none !important; }
.for-screen-readers { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.page-header h1 { font-size: 1.5rem; line-height: 1.25; margin: 0.2rem 0 0.3rem; }
.page-header p, .sentence { font-size: 1rem; line-height: 1.5; margin: 0; }
.page-footer p { font-size: 0.85rem; margin: 0; }
.chart-block { min-width: min(100%, 420px) !important; }
.numbers { max-height: 24rem; overflow: auto; }
.numbers table { border-collapse: collapse; width: 100%; font-size: 0.85rem; }
.numbers caption { text-align: left; font-weight: 600; padding: 0.25rem 0; }
.numbers th, .numbers td { padding: 0.2rem 0.6rem; text-align: left; border-bottom: 1px solid var(--border-color-primary); }
.numbers thead th { position: sticky; top: 0; background: var(--body-background-fill); }
.numbers .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (max-width: 699px) { .page-header h1 { font-size: 1.2rem; } .page-header p, .sentence { font-size: 0.92rem; line-height: 1.4; } }
.notice { border-left: 4px solid #b45309; padding: 0.3rem 0.8rem; }
"""
)

# What the page says of itself when it is opened, and again when its width or its colours change.
VISITOR = f"""() => [{{
  query: location.search, narrow: window.innerWidth < {NARROW_PIXELS}, dark: document.body.classList.contains("dark")
}}]"""
HEAD = f"<script>const NARROW_PIXELS = {NARROW_PIXELS};\n{(Path(__file__).parent / 'page.js').read_text(encoding='utf-8')}</script>"
