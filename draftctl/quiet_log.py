"""What libraries log is shown as its place alone: their words may quote a message, a prompt, an address or a key."""

import logging


class PlacesOnly(logging.Formatter):
    """Says which logger spoke, how loud, from where, and which kind of error it was; never the words."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line without the record's text."""
        kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
        return f"draftctl: {record.levelname.lower()} of {record.name} ({record.module}:{record.lineno}){' ' + kind if kind else ''}"


def install() -> None:
    """Let every log record without a handler of its own be shown so, from warnings upwards."""
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(PlacesOnly())
    logging.lastResort = handler
