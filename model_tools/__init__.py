"""Tools around the models: a probing experiment, the contract's check, costs and pictures."""
