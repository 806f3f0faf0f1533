"""Who makes the chains: a provider, this machine, a simulation, or somebody elsewhere."""
