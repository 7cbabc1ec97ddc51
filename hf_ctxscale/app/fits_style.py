"""FINDINGS_CSS: how the tabs of words and tables look: Fits, About, and the sentences of Compare and Training; in light and in dark."""

FINDINGS_CSS = """
.findings { --good: #17643a; --bad: #a3202a; --open: #6b5300; overflow-wrap: break-word; }
.dark .findings { --good: #7fd6a0; --bad: #ff9a98; --open: #e8c765; }
.findings p, .findings li, #compare-verdict li, #compare-verdict p, #training-words li { max-width: 46rem; line-height: 1.5; }
.findings h2 { font-size: 1.15rem; font-weight: 600; margin: 1.6rem 0 0.4rem; }
.findings ul, #compare-verdict ul, #training-words ul { list-style: disc; padding-left: 1.2rem; margin: 0.4rem 0; }
.findings li { margin: 0.3rem 0; }
.findings .result { font-size: 1.1rem; border-left: 4px solid #4393c3; padding-left: 0.8rem; margin-bottom: 0.6rem; }
.findings .verdict { font-weight: 600; }
.findings .supported .verdict { color: var(--good); }
.findings .not-supported .verdict { color: var(--bad); }
.findings .undecided .verdict { color: var(--open); }
.findings .scroll { overflow-x: auto; margin: 0.4rem 0 0.8rem; }
.findings :is(table, tr) { border: none !important; }
.findings table { border-collapse: collapse; font-size: 0.875rem; line-height: 1.35; }
.findings caption { text-align: left; padding: 0.4rem 0; color: var(--body-text-color-subdued); }
.findings th, .findings td { padding: 0.4rem 0.7rem; border: none; border-bottom: 1px solid var(--border-color-primary); text-align: left;
  vertical-align: top; white-space: nowrap; }
.findings th { background: var(--background-fill-secondary); }
.findings .numeric { text-align: right; font-variant-numeric: tabular-nums; }
.findings .long { white-space: normal; min-width: 16rem; max-width: 26rem; }
.findings .medium { white-space: normal; min-width: 11rem; }
.findings .numeric.medium, .findings .numeric.long { white-space: nowrap; }
.findings tr.upper > td { border-bottom: none; padding-bottom: 0.1rem; }
.findings tr.under > td { padding-top: 0; }
.findings tr.under p { position: sticky; left: 0.7rem; width: fit-content; max-width: min(56rem, calc(100vw - 8rem)); margin: 0.1rem 0;
  white-space: normal; font-size: 0.8125rem; }
.findings tr.under b { font-weight: 600; }
.findings details { margin: 0.5rem 0; }
.findings details > h2 { margin-top: 0.6rem; }
.findings summary { cursor: pointer; padding: 0.35rem 0; }
.findings summary:focus-visible, .findings .scroll:focus-visible, .findings pre:focus-visible { outline: 2px solid var(--color-accent); outline-offset: 2px; }
.findings dt { font-weight: 600; margin-top: 0.7rem; }
.findings dd { margin: 0.1rem 0 0 1.2rem; }
.findings a { text-decoration: underline; }
.findings pre { overflow-x: auto; background: var(--background-fill-secondary); padding: 0.7rem; border-radius: 4px; font-size: 0.8125rem; }
.compare-models { align-items: center; }
@media (max-width: 40rem) { .compare-models { flex-direction: column; align-items: stretch; }
  .findings .long { min-width: 12rem; } .findings th, .findings td { padding: 0.35rem 0.5rem; } }
"""
