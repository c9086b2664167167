"""draftctl drafts an inbox's replies with open-weight models on a GPU that is rented only while there is work."""

__version__ = "0.1.0"
