"""Published protocols, one overlay on params.yaml each; `python -m stages.protocols NAME` applies it."""
