"""Documents to token streams to blocks: what models are trained and scored on."""
