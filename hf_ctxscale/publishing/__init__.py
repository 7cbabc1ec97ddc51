"""Publishing: models, results, Spaces and the metric as repositories of the Hugging Face Hub, each in one commit."""

LICENCE = "apache-2.0"  # that of the package, whose code a model of our own carries; as the Hub names it
