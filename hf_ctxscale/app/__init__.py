"""The Gradio app: a study's charts to explore, models to compare, and texts to read along."""

from hf_ctxscale.app.without_stubs import skip_stubs

# Before any of its modules imports gradio.
skip_stubs()
