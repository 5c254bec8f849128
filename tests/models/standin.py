"""The probing experiment of ``model_tools``, under the names the tests use."""

from model_tools.probe import OLCI, OLCI_NM, S2, batch, contract, experiment

__all__ = ["OLCI", "OLCI_NM", "S2", "batch", "contract", "experiment"]
