"""The probing experiment of ``models/tools``, under the names the tests use."""

from models.tools.probe import OLCI, OLCI_NM, S2, batch, contract, experiment

__all__ = ["OLCI", "OLCI_NM", "S2", "batch", "contract", "experiment"]
